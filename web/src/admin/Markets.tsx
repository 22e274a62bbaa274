// Markets: their states, fees and bands; new ones.

import { useState } from "preact/hooks";
import { call } from "../api/http";
import { markets, takeMarket } from "../api/markets";
import type { Market, MarketState } from "../api/types";
import { grouped, rate } from "../money/format";
import { Dialog } from "../parts/Dialog";
import { Field, Select } from "../parts/Field";
import { useForm } from "../parts/form";
import { notify } from "../parts/notices";
import { link } from "../parts/router";
import { Table } from "../parts/Table";
import { label } from "../trade/words";

const STATES = [["open", "Open: takes orders"], ["cancel_only", "Cancel only"], ["halted", "Halted: no orders, no trades"]] as const;
const TONE: Record<MarketState, string> = { open: "tag good", cancel_only: "tag warn", halted: "tag bad" };

export function Markets() {
  const [dialog, setDialog] = useState<Market | "new" | null>(null);
  return (
    <section class="panel">
      <header>
        <h2>Markets</h2>
        <button type="button" class="button small end" onClick={() => setDialog("new")}>
          Admit a market
        </button>
      </header>
      <Table
        caption="Markets"
        rows={markets.value}
        name={(market) => market.symbol}
        empty="No markets"
        columns={[
          { label: "Market", cell: (market) => <a href={link(`trade/${market.symbol}`)}>{market.symbol}</a> },
          { label: "State", cell: (market) => <span class={TONE[market.state]}>{label(market.state)}</span> },
          { label: "Maker fee", numeric: true, cell: (market) => rate(market.makerFee) },
          { label: "Taker fee", numeric: true, cell: (market) => rate(market.takerFee) },
          { label: "Price band", numeric: true, cell: (market) => (market.priceBand === "0" ? "none" : rate(market.priceBand)) },
          { label: "Tick", numeric: true, cell: (market) => grouped(market.tickSize) },
          { label: "Lot", numeric: true, cell: (market) => grouped(market.lotSize) },
          { label: "Least value", numeric: true, cell: (market) => grouped(market.minNotional) },
          {
            label: "Deeds",
            deeds: true,
            cell: (market) => (
              <div class="row">
                <button type="button" class="button small" aria-label={`Change ${market.symbol}`} onClick={() => setDialog(market)}>
                  Change
                </button>
              </div>
            ),
          },
        ]}
      />
      {dialog === "new" && <NewMarket close={() => setDialog(null)} />}
      {dialog !== null && dialog !== "new" && <ChangeMarket market={dialog} close={() => setDialog(null)} />}
    </section>
  );
}

function ChangeMarket({ market, close }: { market: Market; close: () => void }) {
  const [state, setState] = useState<string>(market.state);
  const [makerFee, setMakerFee] = useState(market.makerFee);
  const [takerFee, setTakerFee] = useState(market.takerFee);
  const [priceBand, setPriceBand] = useState(market.priceBand);
  const form = useForm(["makerFee", "takerFee", "priceBand"]);
  const send = async (event: Event) => {
    event.preventDefault();
    const body = { state, makerFee: makerFee.trim(), takerFee: takerFee.trim(), priceBand: priceBand.trim() };
    const done = await form.send(async () => takeMarket(await call<Market>("PUT", `/api/markets/${market.symbol}`, { body })));
    if (!done) return;
    notify("good", `${market.symbol} changed`);
    close();
  };
  return (
    <Dialog title={`Change ${market.symbol}`} close={close}>
      <form class="stack" onSubmit={send} noValidate>
        <Select label="State" value={state} choose={setState} options={STATES} />
        <Field label="Maker fee" numeric hint="A fraction: 0.001 is 0.1 %" value={makerFee} input={setMakerFee} fault={form.faults["makerFee"]} />
        <Field label="Taker fee" numeric value={takerFee} input={setTakerFee} fault={form.faults["takerFee"]} />
        <Field label="Price band" numeric hint="A fraction of the last trade; 0 is none" value={priceBand} input={setPriceBand}
          fault={form.faults["priceBand"]} />
        {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
        <footer>
          <button type="submit" class="button main" disabled={form.busy}>
            Change
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

const NEW = ["base", "quote", "tickSize", "lotSize", "minNotional", "makerFee", "takerFee"] as const;
const LABELS: Record<(typeof NEW)[number], string> = {
  base: "Base asset",
  quote: "Quote asset",
  tickSize: "Tick: the step of prices",
  lotSize: "Lot: the step of quantities",
  minNotional: "Least value of an order",
  makerFee: "Maker fee, a fraction",
  takerFee: "Taker fee, a fraction",
};

function NewMarket({ close }: { close: () => void }) {
  const [values, setValues] = useState<Record<(typeof NEW)[number], string>>({
    base: "", quote: "USD", tickSize: "0.01", lotSize: "0.0001", minNotional: "1", makerFee: "0", takerFee: "0",
  });
  const form = useForm([...NEW, "symbol"]);
  const send = async (event: Event) => {
    event.preventDefault();
    const body = { ...Object.fromEntries(NEW.map((name) => [name, values[name].trim()])), symbol: `${values.base.trim()}-${values.quote.trim()}` };
    const done = await form.send(async () => takeMarket(await call<Market>("POST", "/api/markets", { body })));
    if (!done) return;
    notify("good", `${body.symbol} admitted`);
    close();
  };
  return (
    <Dialog title="Admit a market" close={close}>
      <form class="stack" onSubmit={send} noValidate>
        {NEW.map((name, at) => (
          <Field key={name} label={LABELS[name]} numeric={at > 1} value={values[name]} fault={form.faults[name] ?? (at ? undefined : form.faults["symbol"])}
            input={(text) => setValues({ ...values, [name]: text })} />
        ))}
        {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
        <footer>
          <button type="submit" class="button main" disabled={form.busy}>
            Admit it
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
