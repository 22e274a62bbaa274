// Wallets: balances, play money, and every entry of the ledger behind them.

import { useEffect, useState } from "preact/hooks";
import { call, get, words } from "../api/http";
import { loadTickers, markets } from "../api/markets";
import { loaded, takeWallet, wallets } from "../api/own";
import type { Entry, Page, Wallet } from "../api/types";
import { amount, signed } from "../money/format";
import { moment } from "../money/time";
import { Dialog } from "../parts/Dialog";
import { Field, Select } from "../parts/Field";
import { useForm } from "../parts/form";
import { notify } from "../parts/notices";
import { Table, type Column } from "../parts/Table";
import { Balances, linesOf, worth } from "../trade/Balances";
import { label } from "../trade/words";

export default function Wallets() {
  const all = [...wallets.value.values()];
  const [chosen, setChosen] = useState<string | null>(null);
  const [dialog, setDialog] = useState<"faucet" | "open" | null>(null);
  const wallet = wallets.value.get(chosen ?? "") ?? all[0];
  useEffect(() => {
    document.title = "Wallets · Borsa";
    void loadTickers().catch(() => {});
  }, []);
  if (!wallet) return <main id="main" class="view"><p class="empty">{loaded.value ? "No wallet yet" : "Loading"}</p></main>;
  return (
    <main id="main" class="view">
      <header>
        <h1>Wallets</h1>
        <div class="row end">
          <button type="button" class="button" onClick={() => setDialog("open")}>
            Open a wallet
          </button>
          <button type="button" class="button main" onClick={() => setDialog("faucet")}>
            Take play money
          </button>
        </div>
      </header>
      {all.length > 1 && (
        <div class="short-field"><Select label="Wallet" value={wallet.walletId} choose={setChosen}
          options={all.map((each, at) => [each.walletId, at ? each.name : `${each.name} (orders spend from it)`] as const)} /></div>
      )}
      <section class="panel">
        <header>
          <h2>Balances</h2>
          <Total wallet={wallet} />
        </header>
        <Balances wallet={wallet} />
      </section>
      <Entries wallet={wallet} />
      {dialog === "faucet" && <Faucet wallet={wallet} close={() => setDialog(null)} />}
      {dialog === "open" && <OpenWallet close={() => setDialog(null)} opened={setChosen} />}
    </main>
  );
}

function Total({ wallet }: { wallet: Wallet }) {
  const units = linesOf(wallet).map((line) => worth(line.asset, line.balance));
  const sum = units.reduce<bigint>((total, each) => total + (each ?? 0n), 0n);
  return <strong class="end">≈ ${amount("USD", sum)}</strong>;
}

const ENTRIES: readonly Column<Entry>[] = [
  { label: "Time", cell: (entry) => moment(entry.time), all: true },
  { label: "Kind", cell: (entry) => label(entry.kind), all: true },
  { label: "Because of", cell: (entry) => entry.reason ?? (entry.reference || "–"), long: true },
  {
    label: "Moves",
    numeric: true,
    all: true,
    cell: (entry) => (
      <div class="two">
        {entry.lines.map((line) => (
          <div key={`${line.asset} ${line.bucket}`}>{`${signed(line.asset, line.amount)} ${line.asset} ${line.bucket}`}</div>
        ))}
      </div>
    ),
  },
];

function Entries({ wallet }: { wallet: Wallet }) {
  const [entries, setEntries] = useState<Entry[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const read = async (from: string | null) => {
    try {
      const page = await get<Page<Entry>>(`/api/wallets/${wallet.walletId}/entries`, { limit: 50, cursor: from });
      setEntries(from ? [...entries, ...page.data] : page.data);
      setCursor(page.nextCursor);
    } catch (error) {
      notify("bad", "The ledger can't be read", words(error));
    }
  };
  // each change of the wallet is an entry more
  useEffect(() => void read(null), [wallet.walletId, wallet.version]);
  return (
    <section class="panel">
      <header>
        <h2>Ledger</h2>
      </header>
      <Table caption="Entries of the ledger" columns={ENTRIES} rows={entries} name={(entry) => entry.entryId} empty="Nothing has moved yet" />
      {cursor && (
        <div class="body">
          <button type="button" class="button wide" onClick={() => void read(cursor)}>
            Older entries
          </button>
        </div>
      )}
    </section>
  );
}

function Faucet({ wallet, close }: { wallet: Wallet; close: () => void }) {
  const assets = [...new Set(markets.value.flatMap((market) => [market.quote, market.base]))];
  const [asset, setAsset] = useState(assets[0] ?? "USD");
  const [wanted, setWanted] = useState("10000");
  const form = useForm(["asset", "amount"]);
  const send = async (event: Event) => {
    event.preventDefault();
    const done = await form.send(async () => {
      takeWallet(await call<Wallet>("POST", `/api/wallets/${wallet.walletId}/faucet`, { body: { asset, amount: wanted.trim() } }));
    });
    if (done) {
      notify("good", `${amount(asset, wanted.trim())} ${asset} arrived`);
      close();
    }
  };
  return (
    <Dialog title="Take play money" close={close}>
      <form class="stack" onSubmit={send} noValidate>
        <p class="muted">It is worth nothing, and trades like money.</p>
        <Select label="Asset" value={asset} choose={setAsset} options={assets.map((each) => [each, each] as const)} fault={form.faults["asset"]} />
        <Field label="Amount" numeric unit={asset} value={wanted} input={setWanted} fault={form.faults["amount"]} />
        {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
        <footer>
          <button type="submit" class="button main" disabled={form.busy}>
            Take it
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function OpenWallet({ close, opened }: { close: () => void; opened: (id: string) => void }) {
  const [name, setName] = useState("");
  const form = useForm(["name"]);
  const send = async (event: Event) => {
    event.preventDefault();
    const done = await form.send(async () => {
      const wallet = await call<Wallet>("POST", "/api/wallets", { body: { name: name.trim() } });
      takeWallet(wallet);
      opened(wallet.walletId);
    });
    if (done) close();
  };
  return (
    <Dialog title="Open a wallet" close={close}>
      <form class="stack" onSubmit={send} noValidate>
        <Field label="Name" value={name} input={setName} fault={form.faults["name"]} maxLength={64} />
        {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
        <footer>
          <button type="submit" class="button main" disabled={form.busy}>
            Open it
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
