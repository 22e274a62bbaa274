// The ladder: asks above, bids below, the spread between them. A click on a price takes it into the order form.

import { useEffect, useRef, useState } from "preact/hooks";
import { openOrders } from "../api/own";
import type { Market } from "../api/types";
import { ONE, parse, placesOf } from "../money/decimal";
import { fixed } from "../money/format";
import { framed } from "../parts/frame";
import type { Book, Depth } from "./book";
import { GROUPS, groupedLevels, rowOf, stepOf, type BookSide, type Group } from "./grouping";
import { followBook } from "./live";
import { LadderSide, totalsOf } from "./rows";

/** Until there is a row to measure. */
const ROW_PIXELS = 20;
const ROWS_MIN = 5;

export function Ladder(props: { market: Market; pick: (price: string) => void }) {
  const { market } = props;
  const [group, choose] = useGroup(market.symbol);
  const step = stepOf(market.tickSize, group);
  const root = useRef<HTMLDivElement>(null);
  const pick = useRef(props.pick);
  pick.current = props.pick;
  useEffect(() => {
    const drawn = new DrawnLadder(root.current!, market, step, (price) => pick.current(price));
    return () => drawn.stop();
  }, [market.symbol, market.tickSize, market.lotSize, step]);
  return (
    <section class="panel ladder" aria-label="Order book">
      <header>
        <h2>Order book</h2>
        <select class="end quiet" aria-label={`Step of prices, ${market.quote}`} value={group} onChange={(event) => choose(event.currentTarget.value as Group)}>
          {GROUPS.map((each) => (
            <option key={each} value={each} selected={each === group}>
              {stepOf(market.tickSize, each)}
            </option>
          ))}
        </select>
      </header>
      <div class="ladder-head" aria-hidden="true">
        <span>Price {market.quote}</span>
        <span>Quantity {market.base}</span>
        <span>Total</span>
      </div>
      <div class="ladder-body stale" ref={root} onKeyDown={byArrow}>
        <div class="asks" role="group" aria-label="Asks, best first" />
        <div class="spread">
          <span class="value" />
          <span class="muted" />
        </div>
        <div class="bids" role="group" aria-label="Bids, best first" />
        <p class="waiting" role="status" />
      </div>
    </section>
  );
}

/** How many ticks a row spans, remembered for each market. */
function useGroup(symbol: string): [Group, (group: Group) => void] {
  const key = `borsa.step.${symbol}`;
  const [, changed] = useState(0);
  const kept = localStorage.getItem(key) as Group;
  const choose = (group: Group) => {
    localStorage.setItem(key, group);
    changed((times) => times + 1);
  };
  return [GROUPS.includes(kept) ? kept : "1", choose];
}

/** What draws into the ladder's elements, from the book's changes to the frame. */
class DrawnLadder {
  private readonly asks: LadderSide;
  private readonly bids: LadderSide;
  private readonly frame = framed(() => this.draw());
  private readonly observer = new ResizeObserver(() => this.resize());
  private readonly live;
  private readonly unsubscribe;
  private readonly spread;
  private readonly waiting;
  private count = 0;
  private own: Record<BookSide, ReadonlySet<bigint>> = { bids: new Set(), asks: new Set() };

  constructor(
    private readonly root: HTMLElement,
    private readonly market: Market,
    private readonly step: string,
    pick: (price: string) => void,
  ) {
    const part = (selector: string) => root.querySelector<HTMLElement>(selector)!;
    part(".asks").replaceChildren();
    part(".bids").replaceChildren();
    this.asks = new LadderSide(part(".asks"), pick);
    this.bids = new LadderSide(part(".bids"), pick);
    this.spread = [part(".spread .value"), part(".spread .muted")] as const;
    this.waiting = part(".waiting");
    this.live = followBook(market.symbol, () => this.frame.ask());
    this.unsubscribe = openOrders.subscribe((orders) => {
      const mine = orders.filter((order) => order.symbol === market.symbol && order.price);
      const rows = (side: BookSide, type: string) =>
        new Set(mine.filter((order) => order.type === type).map((order) => rowOf(parse(order.price!), parse(step), side)));
      this.own = { bids: rows("bids", "buy"), asks: rows("asks", "sell") };
      this.frame.ask();
    });
    this.observer.observe(root);
    this.frame.ask();
  }

  stop(): void {
    this.live.stop();
    this.unsubscribe();
    this.observer.disconnect();
    this.frame.stop();
  }

  private resize(): void {
    const room = this.root.clientHeight - this.root.querySelector<HTMLElement>(".spread")!.offsetHeight;
    const count = Math.max(ROWS_MIN, Math.floor(room / 2 / this.rowPixels()));
    if (count === this.count) return;
    this.count = count;
    this.asks.resize(count);
    this.bids.resize(count);
    this.draw();
  }

  /** As the style has it: taller for fingers. */
  private rowPixels(): number {
    if (!this.count) this.asks.resize(1);
    return this.root.querySelector<HTMLElement>(".asks button")!.offsetHeight || ROW_PIXELS;
  }

  private draw(): void {
    const book = this.live.book;
    const [askRows, bidRows] = [this.rows("asks"), this.rows("bids")];
    const [asks, bids] = [totalsOf(askRows), totalsOf(bidRows)];
    const most = [...asks.slice(-1), ...bids.slice(-1)].reduce((one, other) => (one > other ? one : other), 0n);
    const places = { price: placesOf(this.step), quantity: placesOf(this.market.lotSize) };
    this.asks.draw(askRows, asks, most, places, this.own.asks);
    this.bids.draw(bidRows, bids, most, places, this.own.bids);
    this.drawSpread(book, placesOf(this.market.tickSize));
    this.root.classList.toggle("stale", !book.live);
    this.root.dataset["sequence"] = String(book.sequence);
    const empty = book.live && !book.asks.length && !book.bids.length;
    const said = !book.live ? "Waiting for the book" : empty ? "Nobody offers anything yet" : "";
    if (this.waiting.textContent !== said) this.waiting.textContent = said;
  }

  private rows(side: BookSide): readonly Depth[] {
    return groupedLevels(this.live.book[side], this.step, side, this.count);
  }

  private drawSpread(book: Book, places: number): void {
    const [ask, bid] = [book.asks[0], book.bids[0]];
    const spread = ask && bid ? ask.at - bid.at : null;
    const [value, share] = this.spread;
    value.textContent = spread === null ? "" : `Spread ${fixed(spread, places)}`;
    share.textContent = spread === null ? "" : `${fixed((spread * ONE * 10_000n) / ask!.at, 2)} bps`;
  }
}

/** Up and down go from price to price; the best ask stands right above the best bid. */
function byArrow(event: KeyboardEvent): void {
  if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
  event.preventDefault();
  const root = event.currentTarget as HTMLElement;
  const asks = [...root.querySelectorAll<HTMLElement>(".asks button")].reverse();
  const all = [...asks, ...root.querySelectorAll<HTMLElement>(".bids button")];
  const at = all.indexOf(document.activeElement as HTMLElement);
  all[at + (event.key === "ArrowUp" ? -1 : 1)]?.focus();
}
