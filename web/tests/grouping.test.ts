import { describe, expect, test } from "vitest";
import { Book, type Level } from "../src/book/book";
import { GROUPS, groupedLevels, rowOf, stepOf } from "../src/book/grouping";
import { parse } from "../src/money/decimal";

/** A book with prices around one, of cents, from a seed. */
function bookOf(seed: number): Book {
  const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
  const level = (): Level => [`${90 + random(20)}.${random(10)}${random(10)}`, `${random(3)}.${1 + random(9)}`];
  const book = new Book();
  book.take({ type: "snapshot", sequence: 1, bids: Array.from({ length: 300 }, level), asks: Array.from({ length: 300 }, level) });
  return book;
}

/** The obvious model: every price to its step in whole cents, then added up, then sorted. */
function model(book: Book, side: "bids" | "asks", cents: number): [number, bigint][] {
  const sums = new Map<number, bigint>();
  for (const level of book[side]) {
    const price = Math.round(Number(level.price) * 100);
    const row = (side === "bids" ? Math.floor(price / cents) : Math.ceil(price / cents)) * cents;
    sums.set(row, (sums.get(row) ?? 0n) + level.quantity);
  }
  return [...sums].sort(([one], [other]) => (side === "bids" ? other - one : one - other));
}

describe("rows of a ladder", () => {
  for (const group of GROUPS) {
    for (const side of ["bids", "asks"] as const) {
      test(`are what a plain sum says: ${side} by ${group} ticks`, () => {
        for (let seed = 1; seed <= 20; seed++) {
          const book = bookOf(seed);
          const rows = groupedLevels(book[side], stepOf("0.01", group), side, 1000);
          expect(rows.map((row) => [Math.round(Number(row.price) * 100), row.quantity])).toEqual(model(book, side, Number(group)));
          expect(rows.every((row) => parse(row.text) === row.quantity && parse(row.price) === row.at)).toBe(true);
        }
      });
    }
  }

  test("the last of them is whole, however few are asked for", () => {
    const book = bookOf(7);
    const all = groupedLevels(book.bids, "1", "bids", 1000);
    expect(groupedLevels(book.bids, "1", "bids", 4)).toEqual(all.slice(0, 4));
  });

  test("by one tick they are the levels themselves", () => {
    const book = bookOf(3);
    expect(groupedLevels(book.asks, "0.01", "asks", 5)).toEqual(book.asks.slice(0, 5));
  });
});

test("no row promises a better price than its levels have", () => {
  expect(rowOf(parse("100.07"), parse("0.1"), "bids")).toBe(parse("100"));
  expect(rowOf(parse("100.07"), parse("0.1"), "asks")).toBe(parse("100.1"));
  expect(rowOf(parse("100.1"), parse("0.1"), "asks")).toBe(parse("100.1"));
});

test("steps are whole numbers of ticks, of any size", () => {
  expect([stepOf("0.01", "10"), stepOf("0.00000001", "100"), stepOf("5", "10")]).toEqual(["0.1", "0.000001", "50"]);
});
