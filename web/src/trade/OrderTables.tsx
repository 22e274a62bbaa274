// Open orders, order history and fills: on the market's view of that market, on their own view of all.

import { useState } from "preact/hooks";
import { call, words } from "../api/http";
import { closedOrders, loaded, newestFills, openOrders, takeOrder } from "../api/own";
import { user } from "../api/session";
import type { Order, Side, Trade } from "../api/types";
import { amount } from "../money/format";
import { moment } from "../money/time";
import { notify } from "../parts/notices";
import { link } from "../parts/router";
import { Table, Two, type Column } from "../parts/Table";
import { AmendDialog } from "./AmendDialog";
import { priceText, quantityOf, quantityText } from "./figures";
import { statusWords, typeWords } from "./words";

export function SideTag({ side }: { side: Side }) {
  return <span class={side}>{side === "buy" ? "▲ Buy" : "▼ Sell"}</span>;
}

/** The year gives way where there is little room. */
function Time({ at }: { at: string }) {
  const said = moment(at);
  return (
    <time dateTime={at} title={said}>
      <span class="year">{said.slice(0, 5)}</span>
      {said.slice(5)}
    </time>
  );
}

function Price({ order }: { order: Order }) {
  const limit = order.price ? priceText(order.symbol, order.price) : "Market";
  if (!order.stopPrice) return <>{limit}</>;
  return <Two first={limit} second={`stop ${priceText(order.symbol, order.stopPrice)}`} />;
}

const COMMON: readonly Column<Order>[] = [
  { label: "Time", cell: (order) => <Time at={order.createdAt} />, all: true },
  { label: "Market", cell: (order) => <a href={link(`trade/${order.symbol}`)}>{order.symbol}</a> },
  { label: "Side", cell: (order) => <SideTag side={order.type} /> },
  { label: "Type", cell: typeWords },
  { label: "Price", numeric: true, cell: (order) => <Price order={order} /> },
  { label: "Quantity", numeric: true, cell: quantityOf },
  { label: "Filled", numeric: true, cell: (order) => quantityText(order.symbol, order.filledQuantity) },
];

const HISTORY: readonly Column<Order>[] = [
  ...COMMON,
  { label: "Average", numeric: true, cell: (order) => (order.averagePrice ? priceText(order.symbol, order.averagePrice) : "–") },
  { label: "Status", cell: statusWords, long: true },
];

const FILLS: readonly Column<Trade>[] = [
  { label: "Time", cell: (trade) => <Time at={trade.executedAt} />, all: true },
  { label: "Market", cell: (trade) => <a href={link(`trade/${trade.symbol}`)}>{trade.symbol}</a> },
  { label: "Side", cell: (trade) => <SideTag side={sideOf(trade)} /> },
  { label: "Price", numeric: true, cell: (trade) => priceText(trade.symbol, trade.price) },
  { label: "Quantity", numeric: true, cell: (trade) => quantityText(trade.symbol, trade.quantity) },
  { label: "Fee", numeric: true, cell: (trade) => (trade.fee ? `${amount(trade.feeAsset ?? "", trade.fee)} ${trade.feeAsset}` : "–") },
  { label: "Role", cell: (trade) => (trade.role === "maker" ? "Maker" : "Taker") },
  { label: "Status", cell: (trade) => (trade.status === "busted" ? <span class="tag bad">Busted</span> : "Executed") },
];

/** One's own side of a fill: the taker's, or the other. Fees are taken from what one receives. */
function sideOf(trade: Trade): Side {
  if (trade.role === "maker") return trade.takerSide === "buy" ? "sell" : "buy";
  return trade.takerSide;
}

/** Without the market, where only one is shown, and which has less room. */
function shown<T>(columns: readonly Column<T>[], symbol: string | undefined): readonly Column<T>[] {
  return symbol ? columns.filter((column) => column.label !== "Market") : columns;
}

const of = <T extends { symbol: string }>(rows: readonly T[], symbol: string | undefined): readonly T[] =>
  symbol ? rows.filter((row) => row.symbol === symbol) : rows;

function Nobody({ what }: { what: string }) {
  if (user.value === undefined || (user.value && !loaded.value)) return <>Loading</>;
  if (user.value) return <>{what}</>;
  return (
    <>
      <span>Your orders and balances appear here</span>
      <a href={link("sign-in")}>Sign in</a>
    </>
  );
}

export function OpenOrders({ symbol }: { symbol?: string | undefined }) {
  const [amended, setAmended] = useState<string | null>(null);
  const rows = of(openOrders.value, symbol);
  const order = amended === null ? undefined : rows.find((row) => row.orderId === amended);
  const columns: Column<Order>[] = [
    ...shown(COMMON, symbol),
    { label: "Status", cell: statusWords },
    {
      label: "Deeds",
      deeds: true,
      cell: (row) => (
        <div class="row">
          {row.price && (
            <button type="button" class="button small" onClick={() => setAmended(row.orderId)}>
              Amend
            </button>
          )}
          <button type="button" class="button small" onClick={() => void cancel(row)}>
            Cancel
          </button>
        </div>
      ),
    },
  ];
  return (
    <>
      <Table caption="Open orders" columns={columns} rows={rows} name={(row) => row.orderId} empty={<Nobody what="No open orders" />} />
      {order && <AmendDialog order={order} close={() => setAmended(null)} />}
    </>
  );
}

export function History({ symbol }: { symbol?: string | undefined }) {
  return (
    <Table caption="Order history" columns={shown(HISTORY, symbol)} rows={of(closedOrders.value, symbol)} name={(row) => row.orderId}
      empty={<Nobody what="No orders yet" />} />
  );
}

export function Fills({ symbol }: { symbol?: string | undefined }) {
  return (
    <Table caption="Fills" columns={shown(FILLS, symbol)} rows={of(newestFills.value, symbol)} name={(row) => row.tradeId}
      empty={<Nobody what="No fills yet" />} />
  );
}

async function cancel(order: Order): Promise<void> {
  try {
    takeOrder(await call<Order>("DELETE", `/api/orders/${order.orderId}`));
  } catch (error) {
    notify("bad", "Not cancelled", words(error));
  }
}

/** Cancel all open orders, of one market or of all. */
export async function cancelAll(symbol?: string): Promise<void> {
  try {
    const path = symbol ? `/api/orders?symbol=${symbol}` : "/api/orders";
    const { data } = await call<{ data: Order[] }>("DELETE", path);
    data.forEach(takeOrder);
    notify("good", `${data.length} ${data.length === 1 ? "order" : "orders"} cancelled`);
  } catch (error) {
    notify("bad", "Not cancelled", words(error));
  }
}

