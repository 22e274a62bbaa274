// The book of a market as it is now: follows the stream, and asks for a snapshot after a gap.

import { LOST } from "../streams/connection";
import { again, listen } from "../streams/hub";
import type { BookMessage } from "../streams/messages";
import { Book } from "./book";

export interface LiveBook {
  readonly book: Book;
  stop(): void;
}

/** `changed` is called after each message that changed something, and when the book is no longer certain. */
export function followBook(symbol: string, changed: () => void): LiveBook {
  const book = new Book();
  const channel = `book:${symbol}`;
  const stop = listen(channel, (message) => {
    if (message.type === LOST) book.lose();
    else if (message.type === "snapshot" || message.type === "change") {
      const wasLive = book.live;
      if (book.take(message as unknown as BookMessage) === "gap" && wasLive) again(channel);
    }
    changed();
  });
  return { book, stop };
}
