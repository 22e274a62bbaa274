// What wallets were worth over time, and what was gained: their balances walked backwards through the ledger, each at the
// close of its asset's candle. Pure; units of 10⁻⁸ throughout.

import type { Candle, Entry, Wallet } from "../api/types";
import { ONE, parseSigned, times } from "../money/decimal";

export interface Point {
  /** Milliseconds. */
  time: number;
  /** Dollars, in units. */
  value: bigint;
  /** What of it was gained since the first point: without what came in, and with what went out. */
  gain: bigint;
}

export type Balances = ReadonlyMap<string, bigint>;
export type CandlesOf = ReadonlyMap<string, readonly Candle[]>;

/** What several wallets have together. */
export function together(wallets: readonly Wallet[]): Balances {
  const sums = new Map<string, bigint>();
  for (const wallet of wallets) {
    for (const [asset, text] of Object.entries(wallet.balance)) sums.set(asset, (sums.get(asset) ?? 0n) + parseSigned(text));
  }
  return sums;
}

/** The balances at each of some times (ascending), from what there is now and the entries since. */
export function balancesAt(now: Balances, entries: readonly Entry[], moments: readonly number[]): Balances[] {
  const sums = new Map(now);
  const newestFirst = [...entries].sort((one, other) => Date.parse(other.time) - Date.parse(one.time));
  const found: Balances[] = [];
  let next = 0;
  for (const moment of [...moments].reverse()) {
    for (; next < newestFirst.length && Date.parse(newestFirst[next]!.time) > moment; next++) {
      for (const line of newestFirst[next]!.lines) {
        sums.set(line.asset, (sums.get(line.asset) ?? 0n) - parseSigned(line.amount));
      }
    }
    found.push(new Map(sums));
  }
  return found.reverse();
}

/** The price of each asset at each of some times (ascending): the last close at or before it; null before the first. */
export function pricesAt(candles: readonly Candle[], moments: readonly number[]): (bigint | null)[] {
  const sorted = [...candles].sort((one, other) => Date.parse(one.start) - Date.parse(other.start));
  let next = 0;
  let price: bigint | null = null;
  return moments.map((moment) => {
    for (; next < sorted.length && Date.parse(sorted[next]!.start) <= moment; next++) price = parseSigned(sorted[next]!.close);
    return price;
  });
}

/** Kinds of entries whose effect is a gain or a loss, or none; with the others something came in or went out. */
const TRADING = new Set(["trade", "bust", "hold", "release"]);

/** What came in or went out after a time, oldest first. */
export function flowsSince(entries: readonly Entry[], start: number): Entry[] {
  const flows = entries.filter((entry) => !TRADING.has(entry.kind) && Date.parse(entry.time) > start);
  return flows.sort((one, other) => Date.parse(one.time) - Date.parse(other.time));
}

/** The curve: what has no price yet counts what it was first traded at. `fine` are the candles that say what flows were worth
    when they came, where they go back so far. */
export function curve(now: Balances, entries: readonly Entry[], candles: CandlesOf, fine: CandlesOf, moments: readonly number[]): Point[] {
  const flows = flowsSince(entries, moments[0] ?? 0);
  const flowed = flows.map((flow) => Date.parse(flow.time));
  const came = worths(flows.map(movedBy), [fine, candles], flowed);
  const values = worths(balancesAt(now, entries, moments), [candles], moments);
  let next = 0;
  let paid = values[0] ?? 0n;
  return moments.map((time, at) => {
    for (; next < flows.length && flowed[next]! <= time; next++) paid += came[next]!;
    return { time, value: values[at]!, gain: values[at]! - paid };
  });
}

function movedBy(entry: Entry): Balances {
  const sums = new Map<string, bigint>();
  for (const line of entry.lines) sums.set(line.asset, (sums.get(line.asset) ?? 0n) + parseSigned(line.amount));
  return sums;
}

/** What balances were worth, each at its own time (ascending), by the first candles that have a price for it. */
function worths(balances: readonly Balances[], candles: readonly CandlesOf[], moments: readonly number[]): bigint[] {
  const assets = new Set(balances.flatMap((each) => [...each.keys()]));
  const prices = new Map([...assets].map((asset) => [asset, pricesBy(candles.map((each) => each.get(asset) ?? []), moments)]));
  return balances.map((each, at) => {
    let sum = 0n;
    for (const [asset, units] of each) sum += times(asset === "USD" ? ONE : prices.get(asset)![at]!, units);
    return sum;
  });
}

function pricesBy(candles: readonly (readonly Candle[])[], moments: readonly number[]): bigint[] {
  const found = candles.map((each) => pricesAt(each, moments));
  const first = firstPrice(candles.at(-1) ?? []);
  return moments.map((_, at) => found.map((each) => each[at]).find((price) => price !== null) ?? first);
}

function firstPrice(candles: readonly Candle[]): bigint {
  const [first] = [...candles].sort((one, other) => Date.parse(one.start) - Date.parse(other.start));
  return first ? parseSigned(first.open) : 0n;
}
