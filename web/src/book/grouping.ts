// Levels put together into wider steps of price: what a limit at the shown price would meet. Pure.

import { parse, placesOf, write } from "../money/decimal";
import type { Depth } from "./book";

export type BookSide = "bids" | "asks";

/** How many ticks a row of the ladder may span. */
export const GROUPS = ["1", "10", "100"] as const;
export type Group = (typeof GROUPS)[number];

/** So many ticks, as a price: "0.01" by ten is "0.1". */
export const stepOf = (tickSize: string, group: Group): string => write(parse(tickSize) * BigInt(group));

/** The price of the row that a price belongs to: bids go down to a step, asks go up to one. */
export function rowOf(at: bigint, step: bigint, side: BookSide): bigint {
  const below = (at / step) * step;
  return side === "asks" && below !== at ? below + step : below;
}

/** The best `count` rows of one side; its levels are given best first. A step of one tick changes nothing. */
export function groupedLevels(levels: readonly Depth[], step: string, side: BookSide, count: number): Depth[] {
  const [units, places] = [parse(step), placesOf(step)];
  const rows: Depth[] = [];
  for (const level of levels) {
    const at = rowOf(level.at, units, side);
    const last = rows.at(-1);
    if (last?.at === at) {
      const quantity = last.quantity + level.quantity;
      rows[rows.length - 1] = { ...last, quantity, text: write(quantity) };
    } else if (rows.length === count) break;
    else rows.push({ ...level, at, price: write(at, places) });
  }
  return rows;
}
