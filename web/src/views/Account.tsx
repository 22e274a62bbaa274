// One's own account: name, e-mail, password, API keys.

import { useEffect, useState } from "preact/hooks";
import { call, get, words } from "../api/http";
import { identify, user } from "../api/session";
import type { ApiKey, Page, User } from "../api/types";
import { day } from "../money/time";
import { Check, Field, Select } from "../parts/Field";
import { useForm } from "../parts/form";
import { notify } from "../parts/notices";
import { Table } from "../parts/Table";

export default function Account() {
  useEffect(() => void (document.title = "Account · Borsa"), []);
  return (
    <main id="main" class="view">
      <header>
        <h1>Account</h1>
        <span class="muted">{user.value?.role === "admin" ? "Admin" : ""}</span>
      </header>
      <div class="columns">
        <Profile />
        <Password />
      </div>
      <ApiKeys />
    </main>
  );
}

function Profile() {
  const person = user.value!;
  const [userName, setUserName] = useState(person.userName);
  const [email, setEmail] = useState(person.email ?? "");
  const form = useForm(["userName", "email"]);
  const send = async (event: Event) => {
    event.preventDefault();
    const body = { userName: userName.trim(), email: email.trim() || null };
    const done = await form.send(async () => {
      await call<User>("PUT", "/api/users/profile", { body });
      await identify();
    });
    if (done) notify("good", "Profile saved");
  };
  return (
    <section class="panel">
      <header>
        <h2>Profile</h2>
      </header>
      <form class="body stack" onSubmit={send} noValidate>
        <Field label="User name" autocomplete="username" value={userName} input={setUserName} fault={form.faults["userName"]} />
        <Field label="E-mail" type="email" autocomplete="email" value={email} input={setEmail} fault={form.faults["email"]} />
        {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
        <div class="row">
          <button type="submit" class="button main" disabled={form.busy}>
            Save
          </button>
        </div>
      </form>
    </section>
  );
}

function Password() {
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const form = useForm(["currentPassword", "password"]);
  const send = async (event: Event) => {
    event.preventDefault();
    const done = await form.send(async () => {
      await call<User>("PUT", "/api/users/profile", { body: { password, currentPassword: current } });
    });
    if (done) {
      setCurrent("");
      setPassword("");
      notify("good", "Password changed", "Every other session of yours has ended.");
    }
  };
  return (
    <section class="panel">
      <header>
        <h2>Password</h2>
      </header>
      <form class="body stack" onSubmit={send} noValidate>
        <Field label="Current password" type="password" autocomplete="current-password" value={current} input={setCurrent}
          fault={form.faults["currentPassword"]} />
        <Field label="New password" type="password" autocomplete="new-password" value={password} input={setPassword} fault={form.faults["password"]} />
        {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
        <div class="row">
          <button type="submit" class="button main" disabled={form.busy || !password || !current}>
            Change
          </button>
        </div>
      </form>
    </section>
  );
}

function ApiKeys() {
  const [keys, setKeys] = useState<ApiKey[]>([]);
  const [made, setMade] = useState<ApiKey | null>(null);
  const read = () =>
    get<Page<ApiKey>>("/api/users/api-keys")
      .then((page) => setKeys(page.data))
      .catch((error) => notify("bad", "The keys can't be read", words(error)));
  useEffect(() => void read(), []);
  const revoke = async (key: ApiKey) => {
    try {
      await call<void>("DELETE", `/api/users/api-keys/${key.keyId}`);
      notify("good", `${key.label} is revoked`);
    } catch (error) {
      notify("bad", "The key is not revoked", words(error));
    }
    await read();
  };
  return (
    <section class="panel">
      <header>
        <h2>API keys</h2>
      </header>
      <NewKey
        made={(key) => {
          setMade(key);
          void read();
        }}
      />
      {made?.secret && (
        <div class="body stack" role="status">
          <span>
            The secret of <strong>{made.label}</strong>, shown only now:
          </span>
          <code class="secret">{made.secret}</code>
        </div>
      )}
      <Table
        caption="API keys"
        rows={keys}
        name={(key) => key.keyId}
        empty="No keys yet"
        columns={[
          { label: "Label", cell: (key) => key.label, long: true },
          { label: "Type", cell: (key) => key.type },
          { label: "May", cell: (key) => key.scopes.join(", ") },
          { label: "From", cell: (key) => key.ipAllowList.join(", ") || "anywhere", long: true },
          { label: "Made", cell: (key) => day(key.createdAt) },
          {
            label: "Deeds",
            deeds: true,
            cell: (key) => (
              <div class="row">
                <button type="button" class="button small" aria-label={`Revoke ${key.label}`} onClick={() => void revoke(key)}>
                  Revoke
                </button>
              </div>
            ),
          },
        ]}
      />
    </section>
  );
}

function NewKey({ made }: { made: (key: ApiKey) => void }) {
  const [label, setLabel] = useState("");
  const [type, setType] = useState("bearer");
  const [publicKey, setPublicKey] = useState("");
  const [addresses, setAddresses] = useState("");
  const [trade, setTrade] = useState(false);
  const form = useForm(["label", "publicKey", "ipAllowList"]);
  const send = async (event: Event) => {
    event.preventDefault();
    const body = {
      label: label.trim(),
      type,
      scopes: trade ? ["read", "trade"] : ["read"],
      ipAllowList: addresses.split(/[\s,]+/).filter(Boolean),
      ...(type === "ed25519" ? { publicKey: publicKey.trim() } : {}),
    };
    await form.send(async () => {
      made(await call<ApiKey>("POST", "/api/users/api-keys", { body }));
      setLabel("");
    });
  };
  return (
    <form class="body stack" onSubmit={send} noValidate>
      <div class="columns">
        <Field label="Label" value={label} input={setLabel} fault={form.faults["label"]} />
        <Select label="Type" value={type} choose={setType}
          options={[["bearer", "Bearer: send the secret"], ["hmac", "HMAC: sign with the secret"], ["ed25519", "Ed25519: sign with your own key"]]} />
        <Field label="Addresses (optional)" value={addresses} input={setAddresses} fault={form.faults["ipAllowList"]} placeholder="192.0.2.0/24" />
        {type === "ed25519" && (
          <Field label="Public key, in hexadecimal" value={publicKey} input={setPublicKey} fault={form.faults["publicKey"]} />
        )}
      </div>
      <div class="row">
        <Check label="May trade" checked={trade} change={setTrade} />
        <button type="submit" class="button main end" disabled={form.busy || !label.trim()}>
          Make a key
        </button>
      </div>
      {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
    </form>
  );
}
