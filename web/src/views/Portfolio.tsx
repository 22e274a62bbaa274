// Portfolios: what all wallets are worth, what is held, what it cost, what it brought.

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { dollarPrice, followTicker, loadTickers, market } from "../api/markets";
import { loaded, portfolios, wallets } from "../api/own";
import type { Holding, Portfolio as Held } from "../api/types";
import { compare, parse, parseSigned, placesOf, times } from "../money/decimal";
import { amount, fixedText, grouped } from "../money/format";
import { link } from "../parts/router";
import { Table, type Column } from "../parts/Table";
import { CurveChart, Gain } from "../portfolio/CurveChart";
import { together, type Balances } from "../portfolio/curve";

/** The last price in dollars, as it is now; what the portfolio was told of where no market is followed. */
const priceOf = (holding: Holding): string | null => dollarPrice(holding.product) ?? holding.marketPrice;

const worthOf = (holding: Holding): bigint | null => {
  const price = priceOf(holding);
  return price === null ? null : times(parse(price), parseSigned(holding.quantity));
};

/** As the exchange computed it, moved along with the price since. */
function unrealizedOf(holding: Holding): bigint | null {
  const now = worthOf(holding);
  if (now === null || holding.marketPrice === null || holding.unrealizedPnl === null) return null;
  return parseSigned(holding.unrealizedPnl) + now - times(parse(holding.marketPrice), parseSigned(holding.quantity));
}

function dollars(product: string, text: string | null): string {
  const tick = market(`${product}-USD`)?.tickSize;
  return text === null ? "–" : fixedText(text, Math.max(2, placesOf(tick ?? "0.01")));
}

const orNone = (units: bigint | null): string => (units === null ? "–" : amount("USD", units));

const COLUMNS: readonly Column<Holding>[] = [
  { label: "Product", cell: (holding) => <strong>{holding.product}</strong> },
  { label: "Quantity", numeric: true, cell: (holding) => grouped(holding.quantity) },
  { label: "Average cost", numeric: true, cell: (holding) => dollars(holding.product, holding.averageCost) },
  { label: "Market price", numeric: true, cell: (holding) => dollars(holding.product, priceOf(holding)) },
  { label: "Worth, USD", numeric: true, cell: (holding) => orNone(worthOf(holding)) },
  { label: "Unrealized P&L", numeric: true, cell: (holding) => <Gain units={unrealizedOf(holding)} /> },
  { label: "Realized P&L", numeric: true, cell: (holding) => <Gain units={parseSigned(holding.realizedPnl)} /> },
];

const sum = (parts: readonly (bigint | null)[]): bigint => parts.reduce<bigint>((total, each) => total + (each ?? 0n), 0n);

/** What was ever held: without what is neither held nor brought anything. */
const rowsOf = (portfolio: Held): Holding[] =>
  portfolio.holdings.filter((each) => compare(each.quantity, "0") !== 0 || compare(each.realizedPnl, "0") !== 0);

export default function Portfolio() {
  const held = together([...wallets.value.values()]);
  const [first, ...others] = [...portfolios.value.values()];
  const assets = [...new Set([...held.keys(), ...[...portfolios.value.values()].flatMap(rowsOf).map((row) => row.product)])];
  const followed = assets.map((asset) => `${asset}-USD`).filter((symbol) => market(symbol));
  useEffect(() => {
    document.title = "Portfolio · Borsa";
    void loadTickers().catch(() => {});
  }, []);
  useEffect(() => {
    const stops = followed.map(followTicker);
    return () => stops.forEach((stop) => stop());
  }, [followed.join()]);
  return (
    <main id="main" class="view">
      <header>
        <h1>Portfolio</h1>
      </header>
      {first ? <Whole held={held} portfolio={first} /> : <p class="empty">{loaded.value ? "No portfolio yet" : "Loading"}</p>}
      {others.map((portfolio) => (
        <Further key={portfolio.portfolioId} portfolio={portfolio} />
      ))}
    </main>
  );
}

/** The portfolio that follows the wallets, and the dollars beside it: together what everything is worth. */
function Whole({ held, portfolio }: { held: Balances; portfolio: Held }) {
  const rows = rowsOf(portfolio);
  const cash = held.get("USD") ?? 0n;
  const worths = [...held].map(([asset, units]) => (asset === "USD" ? units : times(parse(dollarPrice(asset) ?? "0"), units)));
  const all = [...wallets.value.values()];
  return (
    <>
      <section class="panel curve" aria-label="Worth">
        <dl class="figures">
          <Figure name="Worth, USD" title="Cash and positions of all your wallets, at last prices">{amount("USD", sum(worths))}</Figure>
          <Figure name="Cash" title="Dollars of all your wallets, those held for orders too">{amount("USD", cash)}</Figure>
          <Figure name="Positions" title="Everything else, at last prices">{amount("USD", sum(worths) - cash)}</Figure>
          <Figure name="Unrealized P&L"><Gain units={sum(rows.map(unrealizedOf))} /></Figure>
          <Figure name="Realized P&L"><Gain units={sum(rows.map((row) => parseSigned(row.realizedPnl)))} /></Figure>
        </dl>
        {all.some((wallet) => Object.keys(wallet.balance).length > 0) && <CurveChart wallets={all} />}
      </section>
      <section class="panel">
        <header>
          <h2>Positions</h2>
          <span class="muted end">in all wallets</span>
        </header>
        <Table caption={`Holdings of ${portfolio.name}`} columns={COLUMNS} rows={rows} name={(row) => row.product}
          empty={<><span>Nothing held yet</span><a href={link("trade")}>Trade</a></>} />
      </section>
    </>
  );
}

/** A portfolio that an admin keeps: of what is not in the wallets. */
function Further({ portfolio }: { portfolio: Held }) {
  const rows = rowsOf(portfolio);
  return (
    <section class="panel">
      <header>
        <h2 class="cut">{portfolio.name}</h2>
        <span class="muted end">not in your wallets</span>
      </header>
      <dl class="figures">
        <Figure name="Worth, USD" title="Its positions at last prices">{amount("USD", sum(rows.map(worthOf)))}</Figure>
        <Figure name="Unrealized P&L"><Gain units={sum(rows.map(unrealizedOf))} /></Figure>
        <Figure name="Realized P&L"><Gain units={sum(rows.map((row) => parseSigned(row.realizedPnl)))} /></Figure>
      </dl>
      <Table caption={`Holdings of ${portfolio.name}`} columns={COLUMNS} rows={rows} name={(row) => row.product} empty="Nothing held yet" />
    </section>
  );
}

function Figure(props: { name: string; title?: string; children: ComponentChildren }) {
  return (
    <div title={props.title}>
      <dt>{props.name}</dt>
      <dd>{props.children}</dd>
    </div>
  );
}
