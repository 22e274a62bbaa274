// Users: who there is, their roles, their wallets; adjustments, and messages to them.

import { useState } from "preact/hooks";
import { call, get, newKey, words } from "../api/http";
import { user as me } from "../api/session";
import type { Approval, Page, User, Wallet } from "../api/types";
import { day } from "../money/time";
import { Dialog } from "../parts/Dialog";
import { Field, Select } from "../parts/Field";
import { useForm } from "../parts/form";
import { More } from "../parts/More";
import { notify } from "../parts/notices";
import { usePages } from "../parts/pages";
import { Table } from "../parts/Table";
import { Balances } from "../trade/Balances";

export function Users() {
  const pages = usePages<User>("/api/users");
  const [wanted, setWanted] = useState("");
  const [chosen, setChosen] = useState<User | null>(null);
  const text = wanted.trim().toLowerCase();
  const rows = pages.rows.filter((row) => row.userName.toLowerCase().includes(text) || row.userId === text);
  return (
    <section class="panel">
      <header>
        <h2>Users</h2>
      </header>
      <div class="body short-field">
        <Field label="Find among those that are loaded" type="search" value={wanted} input={setWanted} />
      </div>
      <Table
        caption="Users"
        rows={rows}
        name={(row) => row.userId}
        empty={pages.ready ? "Nobody of this name" : "Loading"}
        columns={[
          { label: "Name", cell: (row) => <strong>{row.userName}</strong>, all: true },
          { label: "Role", cell: (row) => (row.role === "admin" ? <span class="tag warn">Admin</span> : "User") },
          { label: "E-mail", cell: (row) => row.email ?? "–" },
          { label: "Since", cell: (row) => day(row.createdAt) },
          { label: "Id", cell: (row) => <span class="muted">{row.userId}</span>, all: true },
          {
            label: "Deeds",
            deeds: true,
            cell: (row) => (
              <div class="row">
                <button type="button" class="button small" aria-label={`Open ${row.userName}`} onClick={() => setChosen(row)}>
                  Open
                </button>
              </div>
            ),
          },
        ]}
      />
      <More more={pages.more} />
      {chosen && <UserDialog person={chosen} close={() => setChosen(null)} changed={pages.again} />}
    </section>
  );
}

function UserDialog({ person, close, changed }: { person: User; close: () => void; changed: () => void }) {
  const [wallets, setWallets] = useState<Wallet[] | null>(null);
  const read = () =>
    get<Page<Wallet>>("/api/wallets", { userId: person.userId })
      .then((page) => setWallets(page.data))
      .catch((error) => notify("bad", "The wallets can't be read", words(error)));
  if (wallets === null) void read();
  return (
    <Dialog title={person.userName} wide close={close}>
      <div class="stack">
        {person.userId !== me.value?.userId && <Role person={person} changed={changed} />}
        <Balances wallet={wallets?.[0]} />
        {wallets?.[0] && <Adjust wallet={wallets[0]} done={() => void read()} />}
        <Message person={person} />
      </div>
    </Dialog>
  );
}

function Role({ person, changed }: { person: User; changed: () => void }) {
  const [role, setRole] = useState<string>(person.role);
  const form = useForm(["role"]);
  const choose = async (next: string) => {
    const done = await form.send(async () => void (await call<User>("PUT", `/api/users/${person.userId}`, { body: { role: next } })));
    if (!done) return;
    setRole(next);
    notify("good", `${person.userName} is ${next === "admin" ? "an admin" : "a user"} now`);
    changed();
  };
  return (
    <Select label="Role" value={role} choose={(next) => void choose(next)} options={[["user", "User"], ["admin", "Admin"]]}
      fault={form.faults["role"] ?? form.fault} />
  );
}

function Adjust({ wallet, done }: { wallet: Wallet; done: () => void }) {
  const [asset, setAsset] = useState("USD");
  const [delta, setDelta] = useState("");
  const [reason, setReason] = useState("");
  const form = useForm(["asset", "delta", "reason"]);
  const send = async (event: Event) => {
    event.preventDefault();
    const options = { body: { asset: asset.trim(), delta: delta.trim(), reason: reason.trim() }, idempotencyKey: newKey() };
    await form.send(async () => {
      const answer = await call<Wallet | Approval>("PUT", `/api/wallets/${wallet.walletId}`, options);
      notify("good", "approvalId" in answer ? "A second admin must approve it" : "Posted");
      setDelta("");
      setReason("");
      done();
    });
  };
  return (
    <form class="stack" onSubmit={send} noValidate>
      <h2>Adjust the default wallet</h2>
      <div class="columns pair">
        <Field label="Asset" value={asset} input={setAsset} fault={form.faults["asset"]} />
        <Field label="By" numeric placeholder="+1000 or -5" value={delta} input={setDelta} fault={form.faults["delta"]} />
      </div>
      <Field label="Reason" value={reason} input={setReason} fault={form.faults["reason"]} maxLength={200} />
      {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
      <div class="row">
        <button type="submit" class="button main" disabled={form.busy}>
          Post it
        </button>
      </div>
    </form>
  );
}

function Message({ person }: { person: User }) {
  const [title, setTitle] = useState("");
  const [body, setBody] = useState("");
  const form = useForm(["title", "body"]);
  const send = async (event: Event) => {
    event.preventDefault();
    await form.send(async () => {
      await call("POST", "/api/notifications", { body: { userId: person.userId, title: title.trim(), body: body.trim() } });
      notify("good", `Sent to ${person.userName}`);
      setTitle("");
      setBody("");
    });
  };
  return (
    <form class="stack" onSubmit={send} noValidate>
      <h2>Send a message</h2>
      <Field label="Title" value={title} input={setTitle} fault={form.faults["title"]} maxLength={200} />
      <Field label="Text" lines value={body} input={setBody} fault={form.faults["body"]} />
      {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
      <div class="row">
        <button type="submit" class="button" disabled={form.busy}>
          Send
        </button>
      </div>
    </form>
  );
}
