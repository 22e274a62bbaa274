// The rows of the ladder on the page, drawn by hand: at 60 frames a second only what changed is touched.

import { fitted, fixed } from "../money/format";
import type { Depth } from "./book";

interface Row {
  element: HTMLButtonElement;
  price: Text;
  quantity: Text;
  total: Text;
  bar: HTMLElement;
  shown: string;
}

export interface Places {
  price: number;
  quantity: number;
}

/** One side of the ladder: rows from the best level outwards. */
export class LadderSide {
  private readonly rows: Row[] = [];

  constructor(
    private readonly holder: HTMLElement,
    private readonly pick: (price: string) => void,
  ) {}

  resize(count: number): void {
    while (this.rows.length > count) this.rows.pop()!.element.remove();
    while (this.rows.length < count) {
      const row = this.made(this.rows.length === 0);
      this.rows.push(row);
      this.holder.append(row.element);
    }
  }

  /** Draw the levels; `most` is the total that fills a bar. */
  draw(levels: readonly Depth[], totals: readonly bigint[], most: bigint, places: Places, own: ReadonlySet<bigint>): void {
    for (const [at, row] of this.rows.entries()) {
      const level = levels[at];
      const total = totals[at] ?? 0n;
      const mine = level !== undefined && own.has(level.at);
      const share = most > 0n ? Number((total * 1000n) / most) : 0;
      const shown = level ? `${level.price} ${level.text} ${total} ${share} ${mine}` : "";
      if (shown === row.shown) continue;
      row.shown = shown;
      row.element.disabled = !level;
      row.element.dataset["price"] = level?.price ?? "";
      row.element.classList.toggle("mine", mine);
      row.price.data = level ? fixed(level.at, places.price) : "";
      row.quantity.data = level ? fitted(level.quantity, places.quantity) : "";
      row.total.data = level ? fitted(total, places.quantity) : "";
      row.bar.style.transform = `scaleX(${share / 1000})`;
    }
  }

  private made(best: boolean): Row {
    const element = document.createElement("button");
    element.type = "button";
    element.tabIndex = best ? 0 : -1;
    const bar = document.createElement("i");
    const cells = ["price", "quantity", "total"].map((name) => {
      const cell = document.createElement("span");
      cell.className = name;
      const text = document.createTextNode("");
      cell.append(text);
      return { cell, text };
    });
    element.append(bar, ...cells.map((each) => each.cell));
    element.addEventListener("click", () => element.dataset["price"] && this.pick(element.dataset["price"]));
    const [price, quantity, total] = cells.map((each) => each.text);
    return { element, bar, price: price!, quantity: quantity!, total: total!, shown: "-" };
  }
}

/** The sums from the best level outwards. */
export function totalsOf(levels: readonly Depth[]): bigint[] {
  let sum = 0n;
  return levels.map((level) => (sum += level.quantity));
}
