// All of one's orders and fills, in every market.

import { useEffect, useState } from "preact/hooks";
import { openOrders } from "../api/own";
import { Tabs } from "../parts/Tabs";
import { Fills, History, OpenOrders, cancelAll } from "../trade/OrderTables";

type Tab = "open" | "history" | "fills";

export default function Orders() {
  const [tab, setTab] = useState<Tab>("open");
  useEffect(() => void (document.title = "Orders · Borsa"), []);
  const open = openOrders.value.length;
  const tabs = [["open", `Open ${open || ""}`], ["history", "History"], ["fills", "Fills"]] as const;
  return (
    <main id="main" class="view">
      <header>
        <h1>Orders</h1>
        {open > 0 && (
          <button type="button" class="button end" onClick={() => void cancelAll()}>
            Cancel all open orders
          </button>
        )}
      </header>
      <section class="panel">
        <header>
          <Tabs<Tab> label="Orders" value={tab} options={tabs} choose={setTab} />
        </header>
        <div role="tabpanel" aria-label={tab}>
          {tab === "open" && <OpenOrders />}
          {tab === "history" && <History />}
          {tab === "fills" && <Fills />}
        </div>
      </section>
    </main>
  );
}
