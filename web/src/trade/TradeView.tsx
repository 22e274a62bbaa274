// The view of one market: chart, book, tape, order form, and one's own orders in it.

import { useEffect, useState } from "preact/hooks";
import { followTicker, market as marketOf, markets } from "../api/markets";
import { openOrders } from "../api/own";
import { Ladder } from "../book/Ladder";
import { Nothing } from "../parts/Nothing";
import { steps } from "../parts/router";
import { Segments, Tabs } from "../parts/Tabs";
import { Chart } from "./Chart";
import { MarketHead } from "./MarketHead";
import { OrderForm } from "./OrderForm";
import { Fills, History, OpenOrders, cancelAll } from "./OrderTables";
import { Tape } from "./Tape";
import { Balances } from "./Balances";

const KEY = "borsa.market";
type Pane = "chart" | "book" | "trades";
const PANES = [["chart", "Chart"], ["book", "Book"], ["trades", "Trades"]] as const;

/** The market of the address; without one, that which was looked at last, else the first. */
export function chosenSymbol(): string {
  const named = steps.value[0] === "trade" ? steps.value[1] : undefined;
  if (named) return named;
  const last = localStorage.getItem(KEY);
  return last && marketOf(last) ? last : (markets.value[0]?.symbol ?? "");
}

export function TradeView() {
  const symbol = chosenSymbol();
  const market = marketOf(symbol);
  const [picked, setPicked] = useState<{ price: string } | null>(null);
  const [pane, setPane] = useState<Pane>("chart");
  useEffect(() => {
    if (!market) return;
    localStorage.setItem(KEY, market.symbol);
    document.title = `${market.symbol} · Borsa`;
    return followTicker(market.symbol);
  }, [market?.symbol]);
  // nobody shall trade in another market than the address says
  if (!market && markets.value.length) return <Nothing title={`There is no market ${symbol}`} />;
  if (!market) return <main id="main" class="trade"><p class="empty">Loading the markets</p></main>;
  return (
    <main id="main" class="trade" data-pane={pane}>
      <MarketHead market={market} />
      <div class="pane-switch">
        <Segments<Pane> label="What to show" value={pane} options={PANES} choose={setPane} />
      </div>
      <Chart market={market} />
      <Ladder market={market} pick={(price) => setPicked({ price })} />
      <Tape market={market} />
      <OrderForm market={market} picked={picked} />
      <OwnPanel symbol={market.symbol} />
    </main>
  );
}

type Own = "open" | "history" | "fills" | "balances";

function OwnPanel({ symbol }: { symbol: string }) {
  const [tab, setTab] = useState<Own>("open");
  const open = openOrders.value.filter((order) => order.symbol === symbol).length;
  const tabs = [["open", `Open orders ${open || ""}`], ["history", "History"], ["fills", "Fills"], ["balances", "Balances"]] as const;
  return (
    <section class="panel own" aria-label="Your orders and balances">
      <header>
        <Tabs<Own> label="Your orders and balances" value={tab} options={tabs} choose={setTab} />
        {tab === "open" && open > 1 && (
          <button type="button" class="button small end" onClick={() => void cancelAll(symbol)}>
            Cancel all
          </button>
        )}
      </header>
      <div role="tabpanel" aria-label={tab} class="own-body">
        {tab === "open" && <OpenOrders symbol={symbol} />}
        {tab === "history" && <History symbol={symbol} />}
        {tab === "fills" && <Fills symbol={symbol} />}
        {tab === "balances" && <Balances />}
      </div>
    </section>
  );
}
