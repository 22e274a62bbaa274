// The market picker and the figures of the last 24 hours.

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { loadTickers, markets, tickers } from "../api/markets";
import type { Market, Ticker } from "../api/types";
import { compare, parseSigned, placesOf } from "../money/decimal";
import { fixedText, short } from "../money/format";
import { Down } from "../parts/icons";
import { Menu } from "../parts/Menu";
import { go } from "../parts/router";
import { label } from "./words";

const direction = (ticker: Ticker | undefined): "buy" | "sell" | "muted" => {
  const sign = ticker?.change ? compare(ticker.change, "0") : 0;
  return sign > 0 ? "buy" : sign < 0 ? "sell" : "muted";
};

function changeText(ticker: Ticker | undefined): string {
  if (!ticker?.changePercent) return "–";
  const units = parseSigned(ticker.changePercent);
  return `${units > 0n ? "▲ +" : units < 0n ? "▼ " : ""}${fixedText(ticker.changePercent, 2)} %`;
}

export function MarketHead({ market }: { market: Market }) {
  const ticker = tickers.value[market.symbol];
  const places = placesOf(market.tickSize);
  const price = (text: string | null | undefined) => (text ? fixedText(text, places) : "–");
  return (
    <section class="panel market-head" aria-label="Market">
      <Menu label={`Market ${market.symbol}, choose another`} kind="picker" face={<><h1>{market.symbol}</h1><Down /></>}>
        {(close) => <Picker chosen={market.symbol} close={close} />}
      </Menu>
      <div class="last">
        <strong class={direction(ticker)}>{price(ticker?.lastPrice)}</strong>
      </div>
      <dl tabIndex={0} aria-label="The last 24 hours">
        <Fact name="24 h change">
          <span class={direction(ticker)}>{changeText(ticker)}</span>
        </Fact>
        <Fact name="24 h high">{price(ticker?.high)}</Fact>
        <Fact name="24 h low">{price(ticker?.low)}</Fact>
        <Fact name={`24 h volume ${market.base}`}>{ticker ? short(ticker.volume) : "–"}</Fact>
        <Fact name={`24 h volume ${market.quote}`}>{ticker ? short(ticker.quoteVolume) : "–"}</Fact>
      </dl>
      {market.state !== "open" && <span class="tag warn">{label(market.state)}</span>}
    </section>
  );
}

function Fact(props: { name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}

function Picker({ chosen, close }: { chosen: string; close: () => void }) {
  const [text, setText] = useState("");
  useEffect(() => void loadTickers().catch(() => {}), []);
  const wanted = text.trim().toUpperCase();
  const found = markets.value.filter((market) => market.symbol.includes(wanted));
  const take = (symbol: string) => {
    close();
    go(`trade/${symbol}`);
  };
  return (
    <form
      class="market-list"
      onSubmit={(event) => {
        event.preventDefault();
        if (found[0]) take(found[0].symbol);
      }}
    >
      <div class="field">
        <div class="box">
          <input type="search" aria-label="Find a market" placeholder="Find a market" value={text} autoFocus
            ref={(element) => element?.focus()} onInput={(event) => setText(event.currentTarget.value)} />
        </div>
      </div>
      <ul>
        {found.map((market) => {
          const ticker = tickers.value[market.symbol];
          return (
            <li key={market.symbol}>
              <button type="button" aria-current={market.symbol === chosen ? "true" : undefined} onClick={() => take(market.symbol)}>
                <span>
                  {market.symbol} {market.state !== "open" && <span class="tag warn">{label(market.state)}</span>}
                </span>
                <span class="number">{ticker?.lastPrice ? fixedText(ticker.lastPrice, placesOf(market.tickSize)) : "–"}</span>
                <span class={`number ${direction(ticker)}`}>{changeText(ticker)}</span>
              </button>
            </li>
          );
        })}
      </ul>
      {!found.length && <p class="empty">No such market</p>}
    </form>
  );
}
