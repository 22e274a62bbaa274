// Amend an open order: its price, its total quantity.

import { useState } from "preact/hooks";
import { call } from "../api/http";
import { takeOrder } from "../api/own";
import type { Order } from "../api/types";
import { grouped } from "../money/format";
import { Dialog } from "../parts/Dialog";
import { Field } from "../parts/Field";
import { useForm } from "../parts/form";
import { notify } from "../parts/notices";

export function AmendDialog({ order, close }: { order: Order; close: () => void }) {
  const [price, setPrice] = useState(order.price ?? "");
  const [quantity, setQuantity] = useState(order.quantity ?? "");
  const form = useForm(["price", "quantity"]);
  const [base, quote] = order.symbol.split("-");
  const send = async (event: Event) => {
    event.preventDefault();
    const changed = {
      ...(price.trim() === order.price ? {} : { price: price.trim() }),
      ...(quantity.trim() === order.quantity ? {} : { quantity: quantity.trim() }),
    };
    if (!Object.keys(changed).length) return close();
    const done = await form.send(async () => {
      takeOrder(await call<Order>("PUT", `/api/orders/${order.orderId}`, { body: { ...changed, version: order.version }, wait: 2 }));
    });
    if (done) {
      notify("good", "Order amended");
      close();
    }
  };
  return (
    <Dialog title={`Amend ${order.type === "buy" ? "buy" : "sell"} order`} close={close}>
      <form class="stack" onSubmit={send} noValidate>
        <p class="muted">
          {order.symbol}, filled {grouped(order.filledQuantity)} of {grouped(order.quantity ?? "0")}. Less quantity keeps the place in
          the queue; anything else goes to its end.
        </p>
        <Field label="Price" numeric unit={quote ?? ""} value={price} fault={form.faults["price"]} input={setPrice} />
        <Field label="Total quantity" numeric unit={base ?? ""} value={quantity} fault={form.faults["quantity"]} input={setQuantity} />
        {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
        <footer>
          <button type="button" class="button" onClick={close}>
            Keep as it is
          </button>
          <button type="submit" class="button main" disabled={form.busy}>
            Amend
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
