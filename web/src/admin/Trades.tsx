// Trades of all users; an admin may declare one void.

import { useState } from "preact/hooks";
import { call } from "../api/http";
import type { Trade } from "../api/types";
import { moment } from "../money/time";
import { More } from "../parts/More";
import { notify } from "../parts/notices";
import { usePages } from "../parts/pages";
import { Reason } from "../parts/Reason";
import { link } from "../parts/router";
import { Table } from "../parts/Table";
import { priceText, quantityText } from "../trade/figures";

export function Trades() {
  const pages = usePages<Trade>("/api/trades");
  const [voided, setVoided] = useState<Trade | null>(null);
  const bust = async (trade: Trade, reason: string) => {
    const changed = await call<Trade>("DELETE", `/api/trades/${trade.tradeId}`, { body: { reason } });
    pages.change((rows) => rows.map((row) => (row.tradeId === changed.tradeId ? changed : row)));
    notify("good", `Trade ${trade.tradeId} is void`);
  };
  return (
    <section class="panel">
      <header>
        <h2>Trades</h2>
        <button type="button" class="button small end" onClick={pages.again}>
          Read again
        </button>
      </header>
      <Table
        caption="Trades"
        rows={pages.rows}
        name={(row) => row.tradeId}
        empty={pages.ready ? "No trades yet" : "Loading"}
        columns={[
          { label: "Time", cell: (row) => moment(row.executedAt), all: true },
          { label: "Trade", cell: (row) => row.tradeId },
          { label: "Market", cell: (row) => row.symbol },
          { label: "Price", numeric: true, cell: (row) => priceText(row.symbol, row.price) },
          { label: "Quantity", numeric: true, cell: (row) => quantityText(row.symbol, row.quantity) },
          { label: "Bought by", numeric: true, cell: (row) => <a href={link(`admin/path/${row.buyOrderId}`)}>{row.buyOrderId}</a> },
          { label: "Sold by", numeric: true, cell: (row) => <a href={link(`admin/path/${row.sellOrderId}`)}>{row.sellOrderId}</a> },
          { label: "Status", cell: (row) => (row.status === "busted" ? <span class="tag bad">Busted</span> : row.block ? <span class="tag">Block</span> : "Executed") },
          {
            label: "Deeds",
            deeds: true,
            cell: (row) =>
              row.status === "executed" && (
                <div class="row">
                  <button type="button" class="button small" aria-label={`Bust trade ${row.tradeId}`} onClick={() => setVoided(row)}>
                    Bust
                  </button>
                </div>
              ),
          },
        ]}
      />
      <More more={pages.more} />
      {voided && (
        <Reason
          title={`Bust trade ${voided.tradeId}`}
          verb="Declare it void"
          danger
          said={`${quantityText(voided.symbol, voided.quantity)} of ${voided.symbol} at ${priceText(voided.symbol, voided.price)}: the money is moved back to both, and the trade stays in the tape as void.`}
          close={() => setVoided(null)}
          deed={(reason) => bust(voided, reason)}
        />
      )}
    </section>
  );
}
