// What comes of the tape, put together with what is known of it.

import type { PublicTrade } from "../api/types";

const KEPT = 50;

/** The tape with what came, newest first; a trade that is known has another status now. */
export function merged(known: readonly PublicTrade[], came: readonly PublicTrade[]): PublicTrade[] {
  const changed = new Map(came.map((trade) => [trade.tradeId, trade]));
  const before = known.map((trade) => {
    const now = changed.get(trade.tradeId);
    changed.delete(trade.tradeId);
    return now ?? trade;
  });
  return [...[...changed.values()].reverse(), ...before].slice(0, KEPT);
}
