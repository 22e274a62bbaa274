// A market's book as this page knows it: a snapshot, then changes, each of which must follow on the one before. It
// never shows what may be wrong: after a gap it is not live until a new snapshot comes.

import { parse } from "../money/decimal";
import { crc32 } from "./crc32";

export type Level = readonly [price: string, quantity: string];

export interface BookSnapshot {
  type: "snapshot";
  sequence: number;
  bids: Level[];
  asks: Level[];
}

export interface BookChange {
  type: "change";
  first: number;
  sequence: number;
  bids: Level[];
  asks: Level[];
}

/** One level: its price as text and as units, and how much there is. */
export interface Depth {
  price: string;
  at: bigint;
  quantity: bigint;
  text: string;
}

const CHECKED_LEVELS = 10;

/** One side, best level first. */
class Side {
  readonly levels: Depth[] = [];

  constructor(private readonly descending: boolean) {}

  reset(levels: readonly Level[]): void {
    this.levels.length = 0;
    for (const level of levels) this.set(level);
  }

  set([price, text]: Level): void {
    const at = parse(price);
    const place = this.place(at);
    const there = this.levels[place]?.at === at;
    const quantity = parse(text);
    if (quantity === 0n) {
      if (there) this.levels.splice(place, 1);
    } else {
      this.levels.splice(place, there ? 1 : 0, { price, at, quantity, text });
    }
  }

  /** Where a price stands, or would stand. */
  private place(at: bigint): number {
    let low = 0;
    let high = this.levels.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const there = this.levels[middle]!.at;
      if (this.descending ? there > at : there < at) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** What became of a message: it fits, it was known already, or something before it is missing. */
export type Taken = "taken" | "old" | "gap";

export class Book {
  sequence = -1;
  live = false;
  private readonly sides = { bids: new Side(true), asks: new Side(false) };

  get bids(): readonly Depth[] {
    return this.sides.bids.levels;
  }

  get asks(): readonly Depth[] {
    return this.sides.asks.levels;
  }

  /** Take a snapshot or a change. At a gap nothing is taken, and the book is not live any more. */
  take(message: BookSnapshot | BookChange): Taken {
    if (message.type === "snapshot") {
      this.sides.bids.reset(message.bids);
      this.sides.asks.reset(message.asks);
      this.sequence = message.sequence;
      this.live = true;
      return "taken";
    }
    if (!this.live) return "gap";
    if (message.sequence <= this.sequence) return "old";
    if (message.first > this.sequence + 1) {
      this.live = false;
      return "gap";
    }
    for (const level of message.bids) this.sides.bids.set(level);
    for (const level of message.asks) this.sides.asks.set(level);
    this.sequence = message.sequence;
    return "taken";
  }

  /** Nothing more is certain: the connection is lost. */
  lose(): void {
    this.live = false;
  }

  /** CRC-32 over the best 10 levels of each side, as docs/streams.md describes it. */
  checksum(): number {
    const best = [...this.bids.slice(0, CHECKED_LEVELS), ...this.asks.slice(0, CHECKED_LEVELS)];
    return crc32(best.map((level) => `${level.price}:${level.text}`).join(":"));
  }
}
