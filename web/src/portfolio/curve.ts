// What a wallet was worth over time: its balances walked backwards through the ledger, each at the close of its asset's
// candle. Pure; units of 10⁻⁸ throughout.

import type { Candle, Entry, Wallet } from "../api/types";
import { parseSigned, times } from "../money/decimal";

export interface Point {
  /** Milliseconds. */
  time: number;
  /** Dollars, in units. */
  value: bigint;
}

/** The balances of a wallet at each of some times (ascending), from what it has now and the entries since. */
export function balancesAt(wallet: Wallet, entries: readonly Entry[], moments: readonly number[]): Map<string, bigint>[] {
  const now = new Map(Object.entries(wallet.balance).map(([asset, text]) => [asset, parseSigned(text)]));
  const newestFirst = [...entries].sort((one, other) => Date.parse(other.time) - Date.parse(one.time));
  const found: Map<string, bigint>[] = [];
  let next = 0;
  for (const moment of [...moments].reverse()) {
    for (; next < newestFirst.length && Date.parse(newestFirst[next]!.time) > moment; next++) {
      for (const line of newestFirst[next]!.lines) {
        now.set(line.asset, (now.get(line.asset) ?? 0n) - parseSigned(line.amount));
      }
    }
    found.push(new Map(now));
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

/** The curve: what has no price yet counts nothing. */
export function curve(wallet: Wallet, entries: readonly Entry[], candles: ReadonlyMap<string, readonly Candle[]>, moments: readonly number[]): Point[] {
  const balances = balancesAt(wallet, entries, moments);
  const prices = new Map([...candles].map(([asset, found]) => [asset, pricesAt(found, moments)]));
  return moments.map((time, at) => {
    let value = 0n;
    for (const [asset, units] of balances[at]!) {
      const price = asset === "USD" ? 10n ** 8n : (prices.get(asset)?.[at] ?? 0n);
      value += times(price, units);
    }
    return { time, value };
  });
}
