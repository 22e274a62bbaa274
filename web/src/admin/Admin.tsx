// What admins do: users, markets, adjustments, trades, the audit log, the services, and the path of an order.

import type { FunctionComponent } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { user } from "../api/session";
import { link, steps } from "../parts/router";
import { Approvals } from "./Approvals";
import { Audit } from "./Audit";
import { Markets } from "./Markets";
import { OrderPath } from "./OrderPath";
import { Services } from "./Services";
import { Trades } from "./Trades";
import { Users } from "./Users";

const PARTS: Record<string, [label: string, part: FunctionComponent]> = {
  services: ["Services", Services],
  markets: ["Markets", Markets],
  users: ["Users", Users],
  approvals: ["Adjustments", Approvals],
  trades: ["Trades", Trades],
  path: ["Path of an order", OrderPath],
  audit: ["Audit log", Audit],
};

export default function Admin() {
  useEffect(() => void (document.title = "Admin · Borsa"), []);
  const where = steps.value[1] ?? "services";
  const tabs = useRef<HTMLElement>(null);
  // on a phone not all of them have room
  useEffect(() => tabs.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" }), [where]);
  const Part = PARTS[where]?.[1];
  if (user.value?.role !== "admin") return <main id="main" class="view"><p class="empty">Only admins may see this</p></main>;
  return (
    <main id="main" class="view">
      <header>
        <h1>Admin</h1>
      </header>
      <nav class="tabs" ref={tabs} aria-label="Administration">
        {Object.entries(PARTS).map(([name, [label]]) => (
          <a key={name} href={link(`admin/${name}`)} aria-current={name === where ? "page" : undefined}>
            {label}
          </a>
        ))}
      </nav>
      {Part ? <Part /> : <p class="empty">There is nothing at this address</p>}
    </main>
  );
}
