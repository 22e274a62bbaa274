// What the curve is made of: entries of all wallets and candles of their assets, for a span of time.

import { get } from "../api/http";
import { market } from "../api/markets";
import type { Candle, Entry, Page, Wallet } from "../api/types";
import { curve, flowsSince, together, type CandlesOf, type Point } from "./curve";

export const SPANS = {
  "1d": { seconds: 86_400, interval: "5m", fine: "1s", step: 300 },
  "1w": { seconds: 7 * 86_400, interval: "1h", fine: "1m", step: 3600 },
  "1M": { seconds: 30 * 86_400, interval: "4h", fine: "1m", step: 14_400 },
} as const;
export type Span = keyof typeof SPANS;

const PAGES_MAX = 10;
const POINTS_MAX = 1000;
/** So many flows are valued at the price of their second or minute, the newest first; older ones by the curve's own candles. */
const FLOWS_MAX = 50;

export interface Curve {
  /** Oldest first; from later than asked for where more was done in that time than is read. */
  points: Point[];
  cut: boolean;
}

export async function readCurve(wallets: readonly Wallet[], span: Span): Promise<Curve> {
  const { seconds, interval, step } = SPANS[span];
  const now = Date.now();
  const since = now - seconds * 1000;
  const read = await Promise.all(wallets.map((wallet) => entriesSince(wallet.walletId, since)));
  const oldest = Math.max(since, ...read.filter((each) => each.cut).map((each) => Date.parse(each.entries.at(-1)!.time)));
  const held = together(wallets);
  const assets = [...held.keys()].filter((asset) => market(`${asset}-USD`));
  const found = await Promise.all(assets.map(async (asset) => [asset, await candles(asset, interval, since)] as const));
  const moments: number[] = [];
  for (let time = Math.ceil(oldest / 1000 / step) * step * 1000; time < now; time += step * 1000) moments.push(time);
  moments.push(now);
  const entries = read.flatMap((each) => each.entries);
  const coarse = new Map(found);
  const fine = await pricesOf(flowsSince(entries, moments[0]!).slice(-FLOWS_MAX), SPANS[span].fine, coarse);
  return { points: curve(held, entries, coarse, fine, moments), cut: read.some((each) => each.cut) };
}

async function entriesSince(walletId: string, since: number): Promise<{ entries: Entry[]; cut: boolean }> {
  const entries: Entry[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const answer: Page<Entry> = await get<Page<Entry>>(`/api/wallets/${walletId}/entries`, { limit: 1000, cursor });
    entries.push(...answer.data);
    cursor = answer.nextCursor;
    const last = answer.data.at(-1);
    if (!cursor || !last || Date.parse(last.time) < since) return { entries, cut: false };
  }
  return { entries, cut: true };
}

/** For each flow the last candle before it of each of its assets; before the first of them, the coarse ones. */
async function pricesOf(flows: readonly Entry[], interval: string, coarse: CandlesOf): Promise<CandlesOf> {
  const first = flows[0]?.time ?? "";
  const before = (candles: readonly Candle[]) => candles.filter((candle) => candle.start < first);
  const found = new Map([...coarse].map(([asset, candles]) => [asset, before(candles)]));
  const read = async (asset: string, to: string) => {
    const page = await get<{ data: Candle[] }>(`/api/markets/${asset}-USD/candles`, { interval, to, limit: 1 });
    found.set(asset, [...(found.get(asset) ?? []), ...page.data]);
  };
  const asked = flows.flatMap((flow) => flow.lines.map((line) => [line.asset, flow.time] as const));
  await Promise.all(asked.filter(([asset]) => market(`${asset}-USD`)).map(([asset, time]) => read(asset, time)));
  return found;
}

/** Those of the span, and the one before it: what was paid last is the price until somebody trades again. */
async function candles(asset: string, interval: string, since: number): Promise<Candle[]> {
  const from = new Date(since).toISOString();
  const path = `/api/markets/${asset}-USD/candles`;
  const asked = [{ interval, to: from, limit: 1 }, { interval, from, limit: POINTS_MAX }];
  const pages = await Promise.all(asked.map((query) => get<{ data: Candle[] }>(path, query)));
  return pages.flatMap((page) => page.data);
}
