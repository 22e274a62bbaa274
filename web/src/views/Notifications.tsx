// What one was told; it arrives live. And which kinds one wants to be told, and how.

import { useEffect, useState } from "preact/hooks";
import { call, get, words } from "../api/http";
import { loaded, newestNotifications, takeNotification, unread } from "../api/own";
import type { Notification } from "../api/types";
import { ago, moment } from "../money/time";
import { Check, Field } from "../parts/Field";
import { useForm } from "../parts/form";
import { Done } from "../parts/icons";
import { notify } from "../parts/notices";
import { label } from "../trade/words";

const KINDS = ["order_accepted", "fill", "order_closed", "wallet_changed", "portfolio_changed", "message"] as const;

interface Preferences {
  kinds: string[];
  channels: { inbox: boolean; webhook: { url: string; kinds: string[]; secret?: string } | null; email: { address: string; kinds: string[] } | null };
}

export default function Notifications() {
  useEffect(() => void (document.title = "Notifications · Borsa"), []);
  const all = newestNotifications.value;
  return (
    <main id="main" class="view">
      <header>
        <h1>Notifications</h1>
        {unread.value > 0 && (
          <button type="button" class="button end" onClick={() => void readAll(all)}>
            Mark all as read
          </button>
        )}
      </header>
      <section class="panel" aria-label="Inbox">
        {all.length ? (
          <ul class="inbox">
            {all.map((each) => (
              <Told key={each.notificationId} told={each} />
            ))}
          </ul>
        ) : (
          <p class="empty">{loaded.value ? "Nothing to tell yet" : "Loading"}</p>
        )}
      </section>
      <PreferencesPanel />
    </main>
  );
}

function Told({ told }: { told: Notification }) {
  return (
    <li class={told.readAt ? undefined : "unread"}>
      <div>
        <strong>{told.title}</strong>
        <p>{told.body}</p>
      </div>
      <time dateTime={told.createdAt} title={moment(told.createdAt)} class="muted">
        {ago(told.createdAt, Date.now())}
      </time>
      {!told.readAt && (
        <button type="button" class="icon-button" aria-label={`Mark as read: ${told.title}`} title="Mark as read" onClick={() => void readOne(told)}>
          <Done />
        </button>
      )}
    </li>
  );
}

async function readOne(told: Notification): Promise<void> {
  try {
    takeNotification(await call<Notification>("POST", `/api/notifications/${told.notificationId}/read`));
  } catch (error) {
    notify("bad", "Not marked as read", words(error));
  }
}

async function readAll(all: Notification[]): Promise<void> {
  await Promise.all(all.filter((each) => !each.readAt).map(readOne));
}

function PreferencesPanel() {
  const [kept, setKept] = useState<Preferences | null>(null);
  const [kinds, setKinds] = useState<readonly string[]>([]);
  const [url, setUrl] = useState("");
  const [address, setAddress] = useState("");
  const form = useForm(["channels.webhook.url", "channels.email.address"]);
  const take = (preferences: Preferences) => {
    setKept(preferences);
    setKinds(preferences.kinds);
    setUrl(preferences.channels.webhook?.url ?? "");
    setAddress(preferences.channels.email?.address ?? "");
  };
  useEffect(() => void get<Preferences>("/api/notifications/preferences").then(take).catch(() => {}), []);
  if (!kept) return null;
  const send = async (event: Event) => {
    event.preventDefault();
    const channels = {
      ...(url.trim() ? { webhook: { url: url.trim() } } : {}),
      ...(address.trim() ? { email: { address: address.trim() } } : {}),
    };
    const done = await form.send(async () => take(await call<Preferences>("PUT", "/api/notifications/preferences", { body: { kinds, channels } })));
    if (done) notify("good", "Preferences saved");
  };
  const toggle = (kind: string, on: boolean) => setKinds(on ? [...kinds, kind] : kinds.filter((each) => each !== kind));
  const secret = kept.channels.webhook?.secret;
  return (
    <section class="panel">
      <header>
        <h2>What to tell</h2>
      </header>
      <form class="body stack" onSubmit={send} noValidate>
        <div class="row kinds" role="group" aria-label="Kinds">
          {KINDS.map((kind) => (
            <Check key={kind} label={label(kind)} checked={kind === "message" || kinds.includes(kind)} disabled={kind === "message"}
              change={(on) => toggle(kind, on)} />
          ))}
        </div>
        <div class="columns">
          <Field label="Webhook (optional)" value={url} input={setUrl} fault={form.faults["channels.webhook.url"]} placeholder="https://" />
          <Field label="E-mail (optional)" type="email" value={address} input={setAddress} fault={form.faults["channels.email.address"]} />
        </div>
        {secret && (
          <div class="stack" role="status">
            <span class="muted">The webhook's secret, shown only now:</span>
            <code class="secret">{secret}</code>
          </div>
        )}
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
