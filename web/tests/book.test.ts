import { describe, expect, test } from "vitest";
import { Book, type BookChange, type Level } from "../src/book/book";
import { crc32 } from "../src/book/crc32";
import { totalsOf } from "../src/book/rows";

const snapshot = (sequence: number, bids: Level[], asks: Level[]) => ({ type: "snapshot", sequence, bids, asks }) as const;
const change = (first: number, sequence: number, bids: Level[], asks: Level[] = []): BookChange => ({
  type: "change",
  first,
  sequence,
  bids,
  asks,
});
const texts = (levels: Book["bids"]) => levels.map((level) => [level.price, level.text]);

describe("a book", () => {
  test("keeps both sides best first, whatever the order of what comes", () => {
    const book = new Book();
    book.take(snapshot(5, [["9.00", "1"], ["100.00", "2"]], [["101.00", "3"], ["1000.00", "4"]]));
    book.take(change(6, 6, [["99.50", "5"]], [["100.50", "6"]]));
    expect(texts(book.bids)).toEqual([["100.00", "2"], ["99.50", "5"], ["9.00", "1"]]);
    expect(texts(book.asks)).toEqual([["100.50", "6"], ["101.00", "3"], ["1000.00", "4"]]);
  });

  test("a quantity is the new total, and zero removes the level", () => {
    const book = new Book();
    book.take(snapshot(1, [["10.00", "1"]], []));
    book.take(change(2, 2, [["10.00", "7"]]));
    expect(texts(book.bids)).toEqual([["10.00", "7"]]);
    book.take(change(3, 3, [["10.00", "0"], ["11.00", "0"]]));
    expect(book.bids).toEqual([]);
    expect(book.sequence).toBe(3);
  });

  test("after a gap it takes nothing and is not live, until a snapshot comes", () => {
    const book = new Book();
    book.take(snapshot(1, [["10.00", "1"]], []));
    expect(book.take(change(3, 3, [["10.00", "9"]]))).toBe("gap");
    expect(book.live).toBe(false);
    expect(book.take(change(2, 2, [["10.00", "9"]]))).toBe("gap");
    expect(texts(book.bids)).toEqual([["10.00", "1"]]);
    book.take(snapshot(4, [["10.00", "5"]], []));
    expect(book.live).toBe(true);
  });

  test("what it knows already changes nothing; merged changes go on from the last one", () => {
    const book = new Book();
    book.take(snapshot(10, [["10.00", "1"]], []));
    expect(book.take(change(9, 10, [["10.00", "8"]]))).toBe("old");
    expect(texts(book.bids)).toEqual([["10.00", "1"]]);
    expect(book.take(change(11, 40, [["10.00", "2"]]))).toBe("taken");
    expect(book.sequence).toBe(40);
  });

  test("nothing is taken before the first snapshot", () => {
    const book = new Book();
    expect(book.take(change(1, 1, [["10.00", "1"]]))).toBe("gap");
    expect(book.bids).toEqual([]);
  });

  test("after any changes it is what a plain map says", () => {
    const book = new Book();
    const plain = new Map<string, string>();
    book.take(snapshot(0, [], []));
    let seed = 7;
    const random = (below: number) => (seed = (seed * 48_271) % 2_147_483_647) % below;
    for (let sequence = 1; sequence <= 3000; sequence++) {
      const price = `${90 + random(20)}.${random(10)}0`;
      const quantity = random(3) ? String(1 + random(9)) : "0";
      book.take(change(sequence, sequence, [[price, quantity]], [[price, quantity]]));
      if (quantity === "0") plain.delete(price);
      else plain.set(price, quantity);
    }
    const rising = [...plain].sort(([one], [other]) => Number(one) - Number(other));
    expect(texts(book.asks)).toEqual(rising);
    expect(texts(book.bids)).toEqual(rising.reverse());
  });

  test("totals add up from the best level outwards", () => {
    const book = new Book();
    book.take(snapshot(1, [["10.00", "1"], ["9.00", "2.5"], ["8.00", "1"]], []));
    expect(totalsOf(book.bids)).toEqual([100_000_000n, 350_000_000n, 450_000_000n]);
  });
});

test("the checksum is the one of docs/streams.md", () => {
  const book = new Book();
  book.take(snapshot(1, [["100.00", "0.5"], ["99.00", "1"]], [["101.00", "2"]]));
  expect(book.checksum()).toBe(818_625_280);
});

test("CRC-32 is the one of zlib", () => {
  expect(crc32("123456789")).toBe(0xcbf43926);
  expect(crc32("")).toBe(0);
});
