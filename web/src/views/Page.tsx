// The bar on top, and the view of the place where one is.

import type { ComponentType } from "preact";
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { unread } from "../api/own";
import { signOut, user } from "../api/session";
import { words } from "../api/http";
import { Bell, Moon, Sun } from "../parts/icons";
import { Menu } from "../parts/Menu";
import { Nothing } from "../parts/Nothing";
import { Notices } from "../parts/Notices";
import { notify } from "../parts/notices";
import { link, place, steps } from "../parts/router";
import { theme, toggleTheme } from "../parts/theme";
import { connection } from "../streams/hub";
import { POLL_SECONDS } from "../streams/polling";
import { TradeView } from "../trade/TradeView";
import { SignIn } from "./SignIn";

type View = ComponentType;

/** Views that are loaded when somebody first goes there. */
const LATER: Record<string, () => Promise<{ default: View }>> = {
  orders: () => import("./Orders"),
  wallets: () => import("./Wallets"),
  portfolio: () => import("./Portfolio"),
  notifications: () => import("./Notifications"),
  account: () => import("./Account"),
  admin: () => import("../admin/Admin"),
};

const TABS = [["trade", "Trade"], ["orders", "Orders"], ["wallets", "Wallets"], ["portfolio", "Portfolio"]] as const;

const views = signal<Record<string, View>>({ trade: TradeView, "sign-in": SignIn, "sign-up": SignIn });

export function Page() {
  const where = steps.value[0] ?? "trade";
  useEffect(() => scrollTo(0, 0), [where]);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <Bar where={where} />
      <Shown where={where} />
      <Notices />
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  const main = document.getElementById("main");
  main?.setAttribute("tabindex", "-1");
  main?.focus();
}

function Shown({ where }: { where: string }) {
  const view = views.value[where];
  const load = LATER[where];
  useEffect(() => {
    if (view || !load) return;
    load()
      .then((module) => (views.value = { ...views.value, [where]: module.default }))
      .catch(() => notify("bad", "This view can't be loaded", "Is the exchange away? Reload the page."));
  }, [where, view]);
  if (where === "trade" && view) {
    const Trade = view;
    return <Trade />;
  }
  if (LATER[where] && user.value === null) return <SignIn />;
  if (view && user.value !== undefined) {
    const Later = view;
    return <Later />;
  }
  if (!load && !view) return <Nothing title="There is nothing at this address" />;
  return (
    <main id="main" class="view">
      <p class="empty">Loading</p>
    </main>
  );
}

function Bar({ where }: { where: string }) {
  const person = user.value;
  const tabs = person?.role === "admin" ? [...TABS, ["admin", "Admin"] as const] : TABS;
  return (
    <header class="bar">
      <a class="brand" href={link("trade")} aria-label="Borsa">
        <img src="/icon.svg" alt="" width={22} height={22} />
        <span>Borsa</span>
      </a>
      <nav aria-label="Views">
        {tabs.map(([to, label]) => (
          <a key={to} href={link(to)} aria-current={to === where ? "page" : undefined}>
            {label}
          </a>
        ))}
      </nav>
      <div class="end">
        {/* nothing before it is known who is here and what stands beside it: nothing shall jump */}
        {person !== undefined && <Connection />}
        {person && (
          <a class="icon-button" href={link("notifications")} aria-label={`Notifications, ${unread.value} unread`}>
            <Bell />
            {unread.value > 0 && <span class="count">{unread.value > 49 ? "49+" : unread.value}</span>}
          </a>
        )}
        {person !== undefined && (
          <button type="button" class="icon-button" aria-label={theme.value === "dark" ? "Light theme" : "Dark theme"} onClick={toggleTheme}>
            {theme.value === "dark" ? <Sun /> : <Moon />}
          </button>
        )}
        {person === null && (
          <>
            <a class="button" href={link("sign-in")}>
              Sign in
            </a>
            <a class="button main" href={link("sign-up")}>
              Sign up
            </a>
          </>
        )}
        {person && <Person name={person.userName} />}
      </div>
    </header>
  );
}

function Connection() {
  const state = connection.value;
  if (state === "live") return <span class="state" title="Connected: what you see is live"><span class="long">Live</span></span>;
  const said = { connecting: "Connecting", reconnecting: "Reconnecting", polling: `Every ${POLL_SECONDS} s` }[state];
  const why = state === "polling" ? "The live stream does not come through: this is asked for again and again" : undefined;
  return (
    <span class="state away" role="status" title={why}>
      {said}
    </span>
  );
}

function Person({ name }: { name: string }) {
  return (
    <Menu label={`Account of ${name}`} face={<span class="person cut">{name}</span>} right>
      {(close) => (
        <>
          <a href={link("account")} onClick={close}>
            Account and API keys
          </a>
          <a href="/docs">API documentation</a>
          <button
            type="button"
            onClick={() => {
              close();
              signOut().catch((error) => notify("bad", "Not signed out", words(error)));
              if (place.value !== "") location.hash = "#/trade";
            }}
          >
            Sign out
          </button>
        </>
      )}
    </Menu>
  );
}
