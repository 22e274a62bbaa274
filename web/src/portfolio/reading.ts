// What the curve is made of: entries of the wallet and candles of its assets, for a span of time.

import { get } from "../api/http";
import { market } from "../api/markets";
import type { Candle, Entry, Page, Wallet } from "../api/types";
import { curve, type Point } from "./curve";

export const SPANS = {
  "1d": { seconds: 86_400, interval: "5m", step: 300 },
  "1w": { seconds: 7 * 86_400, interval: "1h", step: 3600 },
  "1M": { seconds: 30 * 86_400, interval: "4h", step: 14_400 },
} as const;
export type Span = keyof typeof SPANS;

const PAGES_MAX = 10;
const POINTS_MAX = 1000;

/** The curve of a wallet's worth, oldest first; `cut` when it has more entries in that time than are read. */
export async function readCurve(wallet: Wallet, span: Span): Promise<{ points: Point[]; cut: boolean }> {
  const { seconds, interval, step } = SPANS[span];
  const now = Date.now();
  const since = now - seconds * 1000;
  const { entries, cut } = await entriesSince(wallet.walletId, since);
  const oldest = cut ? Date.parse(entries.at(-1)!.time) : since;
  const assets = Object.keys(wallet.balance).filter((asset) => market(`${asset}-USD`));
  const found = await Promise.all(assets.map(async (asset) => [asset, await candles(asset, interval, since)] as const));
  const moments: number[] = [];
  for (let time = Math.ceil(oldest / 1000 / step) * step * 1000; time < now; time += step * 1000) moments.push(time);
  moments.push(now);
  return { points: curve(wallet, entries, new Map(found), moments), cut };
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

async function candles(asset: string, interval: string, since: number): Promise<Candle[]> {
  const query = { interval, from: new Date(since).toISOString(), limit: POINTS_MAX };
  return (await get<{ data: Candle[] }>(`/api/markets/${asset}-USD/candles`, query)).data;
}
