// The tape: a market's newest trades, in public.

import { signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import type { Market, PublicTrade } from "../api/types";
import { parse, placesOf } from "../money/decimal";
import { fitted, fixedText } from "../money/format";
import { clock, moment } from "../money/time";
import { framed } from "../parts/frame";
import { listen } from "../streams/hub";
import type { TapeMessage } from "../streams/messages";
import { merged } from "./merging";

export function Tape({ market }: { market: Market }) {
  const trades = useMemo(() => signal<PublicTrade[] | null>(null), [market.symbol]);
  useEffect(() => {
    let known: PublicTrade[] = [];
    const frame = framed(() => (trades.value = known));
    const stop = listen(`trades:${market.symbol}`, (message) => {
      if (message.type === "snapshot") known = (message as unknown as TapeMessage).trades;
      else if (message.type === "change") known = merged(known, (message as unknown as TapeMessage).trades);
      else return;
      frame.ask();
    });
    return () => {
      stop();
      frame.stop();
    };
  }, [market.symbol]);
  const places = { price: placesOf(market.tickSize), quantity: placesOf(market.lotSize) };
  return (
    <section class="panel tape" aria-label="Trades">
      <header>
        <h2>Trades</h2>
      </header>
      <div class="tape-head" aria-hidden="true">
        <span>Price {market.quote}</span>
        <span>Quantity {market.base}</span>
        <span>Time</span>
      </div>
      <ol tabIndex={0} aria-label="Newest trades">
        {trades.value?.map((trade, at) => (
          // a row stays where it is, and shows what comes to stand there
          <li key={at} class={trade.status === "busted" ? "busted" : undefined} title={moment(trade.executedAt)}>
            <span class={trade.takerSide}>
              {trade.takerSide === "buy" ? "▲" : "▼"} {fixedText(trade.price, places.price)}
            </span>
            <span>{fitted(parse(trade.quantity), places.quantity)}</span>
            <span class="muted">{clock(trade.executedAt)}</span>
          </li>
        ))}
      </ol>
      {trades.value?.length === 0 && <p class="empty">No trades yet</p>}
    </section>
  );
}
