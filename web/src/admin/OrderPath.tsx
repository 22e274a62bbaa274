// The path of any order through the services.

import { useEffect, useState } from "preact/hooks";
import { words } from "../api/http";
import { grouped } from "../money/format";
import { moment } from "../money/time";
import { Field } from "../parts/Field";
import { go, steps } from "../parts/router";
import { priceText, quantityOf } from "../trade/figures";
import { statusWords, typeWords } from "../trade/words";
import { userName } from "./names";
import { readPath, type Path } from "./path";

export function OrderPath() {
  const orderId = steps.value[2] ?? "";
  const [wanted, setWanted] = useState(orderId);
  const [path, setPath] = useState<Path | null>(null);
  const [said, setSaid] = useState("");
  useEffect(() => {
    setPath(null);
    setWanted(orderId);
    setSaid(orderId ? "Reading" : "");
    if (!orderId) return;
    let current = true;
    readPath(orderId)
      .then((found) => current && (setPath(found), setSaid("")))
      .catch((error) => current && setSaid(words(error)));
    return () => void (current = false);
  }, [orderId]);
  return (
    <section class="panel">
      <header>
        <h2>Path of an order</h2>
      </header>
      <form
        class="body path-form"
        onSubmit={(event) => {
          event.preventDefault();
          go(`admin/path/${wanted.trim()}`);
        }}
      >
        <Field label="Order id" value={wanted} input={setWanted} />
        <button type="submit" class="button main" disabled={!wanted.trim()}>
          Follow it
        </button>
      </form>
      {said && <p class="empty" role="status">{said}</p>}
      {!said && !path && <p class="empty">Enter the id of an order: of any user, open or closed.</p>}
      {path && <Shown path={path} />}
    </section>
  );
}

function Shown({ path }: { path: Path }) {
  const { order } = path;
  const began = Date.parse(order.createdAt);
  return (
    <>
      <div class="body">
        <dl class="facts path-facts">
          <dt>Order</dt>
          <dd>
            {order.type === "buy" ? "Buy" : "Sell"} {quantityOf(order)} {order.quantity ? "" : "of"} {order.symbol}, {typeWords(order)}
            {order.price && ` at ${priceText(order.symbol, order.price)}`}
          </dd>
          <dt>Of</dt>
          <dd>{userName(order.userId)}</dd>
          <dt>Placed</dt>
          <dd>{moment(order.createdAt)}</dd>
          <dt>Status</dt>
          <dd>
            {statusWords(order)}, filled {grouped(order.filledQuantity)} in {path.trades.length} {path.trades.length === 1 ? "trade" : "trades"}
          </dd>
        </dl>
        {path.cut && <p class="banner">So much happened at one of its moments that not all of it was read.</p>}
      </div>
      <ol class="path">
        {path.steps.map((step) => (
          <li key={`${step.service} ${step.what} ${step.time}`}>
            <time dateTime={step.time} title={moment(step.time)} class="muted">
              {since(began, step.time)}
            </time>
            <span class="tag">{step.service}</span>
            <div>
              <strong>{step.what}</strong>
              <p class="details">{step.details}</p>
            </div>
          </li>
        ))}
      </ol>
    </>
  );
}

/** How long after the beginning, with microseconds where they count. */
function since(began: number, time: string): string {
  const microseconds = Number(/\.(\d{3})(\d{3})Z$/.exec(time)?.[2] ?? "0") / 1000;
  const milliseconds = Date.parse(time) - began + microseconds;
  return milliseconds < 10_000 ? `+${milliseconds.toFixed(1)} ms` : `+${(milliseconds / 1000).toFixed(1)} s`;
}
