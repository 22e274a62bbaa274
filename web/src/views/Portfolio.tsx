// Portfolios: what is held, what it cost, what it brought.

import { useEffect } from "preact/hooks";
import { loadTickers } from "../api/markets";
import { loaded, portfolios, wallet } from "../api/own";
import type { Holding, Portfolio as Held } from "../api/types";
import { compare, parse, parseSigned, times } from "../money/decimal";
import { amount, grouped, signed } from "../money/format";
import { link } from "../parts/router";
import { Table, type Column } from "../parts/Table";
import { CurveChart } from "../portfolio/CurveChart";

function Pnl({ text }: { text: string | null | bigint }) {
  if (text === null) return <>–</>;
  const units = typeof text === "bigint" ? text : parseSigned(text);
  return <span class={units > 0n ? "buy" : units < 0n ? "sell" : undefined}>{signed("USD", units)}</span>;
}

const worth = (holding: Holding): bigint | null => {
  const price = holding.product === "USD" ? "1" : holding.marketPrice;
  return price === null ? null : times(parse(price), parseSigned(holding.quantity));
};

const COLUMNS: readonly Column<Holding>[] = [
  { label: "Product", cell: (holding) => <strong>{holding.product}</strong> },
  { label: "Quantity", numeric: true, cell: (holding) => grouped(holding.quantity) },
  { label: "Average cost", numeric: true, cell: (holding) => amount("USD", holding.averageCost) },
  { label: "Market price", numeric: true, cell: (holding) => (holding.marketPrice ? amount("USD", holding.marketPrice) : "–") },
  { label: "Worth", numeric: true, cell: (holding) => { const units = worth(holding); return units === null ? "–" : amount("USD", units); } },
  { label: "Unrealized P&L", numeric: true, cell: (holding) => <Pnl text={holding.unrealizedPnl} /> },
  { label: "Realized P&L", numeric: true, cell: (holding) => <Pnl text={holding.realizedPnl} /> },
];

const sum = (texts: (string | null)[]): bigint => texts.reduce((total, text) => total + (text ? parseSigned(text) : 0n), 0n);

export default function Portfolio() {
  useEffect(() => {
    document.title = "Portfolio · Borsa";
    void loadTickers().catch(() => {});
  }, []);
  const all = [...portfolios.value.values()];
  return (
    <main id="main" class="view">
      <header>
        <h1>Portfolio</h1>
      </header>
      {wallet.value && Object.keys(wallet.value.balance).length > 0 && <CurveChart wallet={wallet.value} />}
      {all.map((portfolio) => (
        <Shown key={portfolio.portfolioId} portfolio={portfolio} />
      ))}
      {!all.length && <p class="empty">{loaded.value ? "No portfolio yet" : "Loading"}</p>}
    </main>
  );
}

function Shown({ portfolio }: { portfolio: Held }) {
  const rows = portfolio.holdings.filter((each) => compare(each.quantity, "0") !== 0 || compare(each.realizedPnl, "0") !== 0);
  const total = rows.reduce((units, holding) => units + (worth(holding) ?? 0n), 0n);
  return (
    <section class="panel">
      <header>
        <h2 class="cut">{portfolio.name}</h2>
      </header>
      <dl class="figures">
        <div>
          <dt>Worth, USD</dt>
          <dd>{amount("USD", total)}</dd>
        </div>
        <div>
          <dt>Unrealized P&amp;L</dt>
          <dd><Pnl text={sum(rows.map((row) => row.unrealizedPnl))} /></dd>
        </div>
        <div>
          <dt>Realized P&amp;L</dt>
          <dd><Pnl text={sum(rows.map((row) => row.realizedPnl))} /></dd>
        </div>
      </dl>
      <Table caption={`Holdings of ${portfolio.name}`} columns={COLUMNS} rows={rows} name={(row) => row.product}
        empty={<><span>Nothing held yet</span><a href={link("trade")}>Trade</a></>} />
    </section>
  );
}
