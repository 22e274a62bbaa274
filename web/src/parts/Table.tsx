// A table of rows; on a phone each row is a small card whose cells say what they are.

import type { ComponentChildren } from "preact";

export interface Column<T> {
  label: string;
  cell: (row: T) => ComponentChildren;
  numeric?: boolean;
  /** Buttons: without a label on a phone, at the card's end. */
  deeds?: boolean;
  /** As wide as the card on a phone. */
  all?: boolean;
  /** Text of any length: it wraps, and is as wide as the card on a phone. */
  long?: boolean;
}

interface Props<T> {
  caption: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  name: (row: T) => string;
  empty: ComponentChildren;
}

export function Table<T>(props: Props<T>) {
  if (!props.rows.length) return <div class="empty">{props.empty}</div>;
  return (
    <div class="table-box" role="region" aria-label={props.caption} tabIndex={0}>
      <table class="cards">
        <caption class="out-of-sight">{props.caption}</caption>
        <thead>
          <tr>
            {props.columns.map((column) => (
              <th key={column.label} scope="col" class={column.deeds ? "number deeds" : column.numeric ? "number" : undefined}>
                {column.deeds ? <span class="out-of-sight">{column.label}</span> : column.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row) => (
            <tr key={props.name(row)}>
              {props.columns.map((column) => (
                <td key={column.label} class={kind(column)} data-label={column.deeds ? undefined : column.label}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What counts, and below it what it belongs to. */
export function Two({ first, second }: { first: ComponentChildren; second: ComponentChildren }) {
  return (
    <div class="two">
      <div>{first}</div>
      <div class="muted">{second}</div>
    </div>
  );
}

function kind<T>(column: Column<T>): string {
  return [column.numeric ? "number" : "", column.deeds ? "deeds" : "", column.all || column.long ? "all" : "", column.long ? "long" : ""].join(" ").trim();
}
