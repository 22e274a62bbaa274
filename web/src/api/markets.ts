// Markets and their tickers, kept up to date.

import { computed, signal } from "@preact/signals";
import { listen } from "../streams/hub";
import type { MarketsMessage, TickerMessage } from "../streams/messages";
import { get } from "./http";
import type { Market, Page, Ticker } from "./types";

export const markets = signal<Market[]>([]);
export const tickers = signal<Record<string, Ticker>>({});

const bySymbol = computed(() => new Map(markets.value.map((market) => [market.symbol, market])));

export const market = (symbol: string): Market | undefined => bySymbol.value.get(symbol);

export async function loadMarkets(): Promise<void> {
  markets.value = (await get<Page<Market>>("/api/markets", {}, { anonymous: true })).data;
}

export async function loadTickers(): Promise<void> {
  const found = (await get<Page<Ticker>>("/api/tickers", {}, { anonymous: true })).data;
  tickers.value = Object.fromEntries(found.map((ticker) => [ticker.symbol, ticker]));
}

/** A market as it was answered or told, in its place. */
export function takeMarket(changed: Market): void {
  const others = markets.value.filter((market) => market.symbol !== changed.symbol);
  const at = markets.value.findIndex((market) => market.symbol === changed.symbol);
  others.splice(at < 0 ? others.length : at, 0, changed);
  markets.value = others;
}

/** Follow which markets there are, and their states. */
export function followMarkets(): void {
  listen("markets", (message) => {
    if (message.type === "snapshot" || message.type === "change") {
      for (const each of (message as unknown as MarketsMessage).markets) takeMarket(each);
    }
  });
}

/** Follow the ticker of a market; call what is returned to end it. */
export function followTicker(symbol: string): () => void {
  return listen(`ticker:${symbol}`, (message) => {
    if (message.type !== "snapshot" && message.type !== "change") return;
    tickers.value = { ...tickers.value, [symbol]: (message as unknown as TickerMessage).ticker };
  });
}

/** The last price of an asset in dollars, where it has a market against them. */
export function dollarPrice(asset: string): string | null {
  return asset === "USD" ? "1" : (tickers.value[`${asset}-USD`]?.lastPrice ?? null);
}
