// The order form.

import { useEffect, useRef, useState } from "preact/hooks";
import { Problem, call, newKey } from "../api/http";
import { tickers } from "../api/markets";
import { isOpen, takeOrder, wallet } from "../api/own";
import { user } from "../api/session";
import type { Market, Order, OrderType, Side, TimeInForce } from "../api/types";
import { parse } from "../money/decimal";
import { amount, grouped, rate } from "../money/format";
import { Check, Field, Select } from "../parts/Field";
import { useForm } from "../parts/form";
import { notify } from "../parts/notices";
import { link } from "../parts/router";
import { Segments } from "../parts/Tabs";
import { statusWords } from "./words";
import { EMPTY, bodyOf, estimate, faultsOf, hasLimit, hasStop, mayBudget, withShare, type Draft } from "./draft";

const FIELDS = ["price", "stopPrice", "quantity", "quoteQuantity", "postOnly"];
const TYPES = [["limit", "Limit"], ["market", "Market"], ["stop", "Stop"], ["stop_limit", "Stop limit"]] as const;
const TIMES = [["gtc", "Good till cancelled"], ["ioc", "Immediate or cancel"], ["fok", "Fill or kill"]] as const;
const SHARES = [25n, 50n, 75n, 100n];

export function OrderForm({ market, picked }: { market: Market; picked: { price: string } | null }) {
  const [draft, setDraft] = useState<Draft>(EMPTY);
  const form = useForm(FIELDS);
  const key = useRef(newKey());
  const ticker = tickers.value[market.symbol];
  const touch = (draft.side === "buy" ? ticker?.bestAsk : ticker?.bestBid) ?? ticker?.lastPrice ?? null;
  const spent = draft.side === "buy" ? market.quote : market.base;
  const available = parse(wallet.value?.available[spent] ?? "0");
  const change = (part: Partial<Draft>) => {
    form.clear();
    setDraft({ ...draft, ...part });
  };
  useEffect(() => setDraft((now) => ({ ...now, price: "", stopPrice: "", quantity: "", budget: "" })), [market.symbol]);
  useEffect(() => {
    if (picked) setDraft((now) => (hasStop(now) && !hasLimit(now) ? { ...now, stopPrice: picked.price } : { ...now, price: picked.price }));
  }, [picked]);

  const place = async (event: Event) => {
    event.preventDefault();
    if (form.busy) return;
    const faults = faultsOf(draft, market, available);
    if (Object.keys(faults).length) return form.refuse(faults);
    await form.send(async () => {
      const order = await placed(bodyOf(draft, market, key.current), () => (key.current = newKey()));
      takeOrder(order);
      tell(order);
      setDraft({ ...draft, quantity: "", budget: "" });
    });
  };

  return (
    <section class="panel order-form" aria-label="Place an order">
      <form class="body stack" onSubmit={place} noValidate>
        <Segments<Side>
          label="Side"
          value={draft.side}
          options={[["buy", "Buy"], ["sell", "Sell"]]}
          choose={(side) => change({ side })}
          tone={(side) => `side ${side}`}
        />
        <Segments<OrderType> label="Order type" value={draft.orderType} options={TYPES} choose={(orderType) => change({ orderType })} />
        {hasStop(draft) && (
          <Field label="Stop price" numeric unit={market.quote} value={draft.stopPrice} fault={form.faults["stopPrice"]}
            input={(stopPrice) => change({ stopPrice })} />
        )}
        {hasLimit(draft) && (
          <Field label="Price" numeric unit={market.quote} value={draft.price} fault={form.faults["price"]}
            input={(price) => change({ price })} />
        )}
        <Size draft={draft} market={market} faults={form.faults} change={change} />
        <Shares choose={(percent) => change(withShare(draft, market, available, percent, touch))} disabled={!user.value} />
        {hasLimit(draft) && <Terms draft={draft} change={change} fault={form.faults["postOnly"]} />}
        <Summary draft={draft} market={market} touch={touch} available={available} spent={spent} />
        {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
        <Submit draft={draft} market={market} busy={form.busy} />
      </form>
    </section>
  );
}

/** Place an order. `settled` is called when its id has done its work: sent again under it, an order is the same one. */
async function placed(body: Record<string, unknown>, settled: () => void): Promise<Order> {
  try {
    const order = await call<Order>("POST", "/api/orders", { body, wait: 2 });
    settled();
    return order;
  } catch (error) {
    if (error instanceof Problem && error.definite) settled();
    throw error;
  }
}

interface Part {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
}

function Size({ draft, market, faults, change }: Part & { market: Market; faults: Readonly<Record<string, string>> }) {
  const budget = mayBudget(draft) && draft.byBudget;
  return (
    <div class="stack size">
      {budget ? (
        <Field label="Spend" numeric unit={market.quote} value={draft.budget} fault={faults["quoteQuantity"]}
          input={(text) => change({ budget: text })} />
      ) : (
        <Field label="Quantity" numeric unit={market.base} value={draft.quantity} fault={faults["quantity"]}
          input={(quantity) => change({ quantity })} />
      )}
      {mayBudget(draft) && (
        <button type="button" class="switch" onClick={() => change({ byBudget: !draft.byBudget })}>
          {budget ? `Enter ${market.base}` : `Enter ${market.quote}`}
        </button>
      )}
    </div>
  );
}

function Shares({ choose, disabled }: { choose: (percent: bigint) => void; disabled: boolean }) {
  return (
    <div class="shares" role="group" aria-label="Share of what is available">
      {SHARES.map((percent) => (
        <button key={String(percent)} type="button" class="button small" disabled={disabled} onClick={() => choose(percent)}>
          {String(percent)} %
        </button>
      ))}
    </div>
  );
}

function Terms({ draft, change, fault }: Part & { fault: string | undefined }) {
  return (
    <div class="stack">
      <Select label="Time in force" value={draft.timeInForce} options={TIMES}
        choose={(value) => change({ timeInForce: value as TimeInForce, postOnly: value === "gtc" && draft.postOnly })} />
      <Check label="Post-only" checked={draft.postOnly} disabled={draft.timeInForce !== "gtc"}
        change={(postOnly) => change({ postOnly })} />
      {fault && <span class="fault" role="alert">{fault}</span>}
    </div>
  );
}

interface SummaryProps {
  draft: Draft;
  market: Market;
  touch: string | null;
  available: bigint;
  spent: string;
}

function Summary({ draft, market, touch, available, spent }: SummaryProps) {
  const found = estimate(draft, market, touch);
  const about = hasLimit(draft) ? "" : "≈ ";
  const received = draft.side === "buy" ? market.base : market.quote;
  const rateShown = draft.postOnly && draft.orderType === "limit" ? market.makerFee : market.takerFee;
  const shown = (asset: string, units: bigint | undefined) => (units === undefined ? "–" : `${about}${amount(asset, units)} ${asset}`);
  return (
    <dl class="facts">
      <dt>Available</dt>
      <dd>{user.value ? `${amount(spent, available)} ${spent}` : "–"}</dd>
      <dt>Value</dt>
      <dd>{shown(market.quote, found?.value)}</dd>
      <dt>Fee, {rate(rateShown)}</dt>
      <dd>{found ? `${about}${amount(found.feeAsset, found.fee)} ${found.feeAsset}` : "–"}</dd>
      <dt>You receive</dt>
      <dd>{shown(received, found?.receives)}</dd>
    </dl>
  );
}

function Submit({ draft, market, busy }: { draft: Draft; market: Market; busy: boolean }) {
  if (user.value === null) {
    return (
      <a class="button main wide" href={link("sign-in")}>
        Sign in to trade
      </a>
    );
  }
  if (market.state !== "open") return <p class="banner">{STATES[market.state]}</p>;
  const word = draft.side === "buy" ? "Buy" : "Sell";
  return (
    // not disabled while it places: whoever is at it by keyboard stays there
    <button type="submit" class={`button wide place ${draft.side}`} aria-disabled={busy} disabled={!user.value}>
      {busy ? "Placing …" : `${word} ${market.base}`}
    </button>
  );
}

const STATES = {
  halted: "This market is halted: no orders are taken",
  cancel_only: "This market only takes cancellations now",
} as const;

/** What became of the order at once. */
function tell(order: Order): void {
  const what = `${order.type === "buy" ? "Buy" : "Sell"} ${grouped(order.quantity ?? order.filledQuantity)} ${order.symbol.split("-")[0]}`;
  if (order.status === "rejected" || order.status === "expired") {
    notify("bad", `${what}: ${statusWords(order)}`, order.filledQuantity === "0" ? "" : `Filled ${grouped(order.filledQuantity)}`);
  } else {
    notify("good", what, isOpen(order) ? "The order is open" : statusWords(order));
  }
}
