// The path of an order through the services: of all events around its moments, those that concern it or follow from it.

import { get } from "../api/http";
import type { CloudEvent, Notification, Order, Page, Trade } from "../api/types";
import { details } from "./details";

export interface Step {
  time: string;
  service: string;
  what: string;
  details: string;
}

const SOURCES = ["orders", "trades", "wallets", "portfolios"] as const;
/** How long the services have after each of its moments, in milliseconds; what follows later is not found. */
const WINDOW = 3000;
const EVENTS_MAX = 5000;
const PAGE = 1000;

export interface Path {
  order: Order;
  trades: Trade[];
  steps: Step[];
  /** Too much happened at one of its moments to read all of it. */
  cut: boolean;
}

export async function readPath(orderId: string): Promise<Path> {
  const order = await get<Order>(`/api/orders/${orderId}`);
  const trades = (await get<Page<Trade>>("/api/trades", { orderId, limit: 100 })).data;
  const windows = windowsOf([order.createdAt, ...trades.map((trade) => trade.executedAt), order.updatedAt]);
  const read = await Promise.all(SOURCES.flatMap((source) => windows.map((window) => eventsIn(source, window))));
  const events = related(order, trades, read.flatMap((each) => each.events));
  const steps = [...events.map(stepOf), ...(await told(order, trades))];
  steps.sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
  return { order, trades, steps, cut: read.some((each) => each.cut) };
}

type Window = readonly [from: number, to: number];

/** The times to look at, without overlaps. */
export function windowsOf(moments: readonly string[]): Window[] {
  const found: [number, number][] = [];
  for (const from of moments.map((each) => Date.parse(each)).sort((one, other) => one - other)) {
    const last = found.at(-1);
    if (last && from <= last[1]) last[1] = from + WINDOW;
    else found.push([from, from + WINDOW]);
  }
  return found;
}

async function eventsIn(source: string, [from, to]: Window): Promise<{ events: CloudEvent[]; cut: boolean }> {
  const events: CloudEvent[] = [];
  let after = 0;
  const since = new Date(from).toISOString();
  while (events.length < EVENTS_MAX) {
    const page = await get<{ data: CloudEvent[]; nextAfter: number | null }>("/api/events", { source, since, after, limit: PAGE });
    events.push(...page.data);
    const last = page.data.at(-1);
    if (page.nextAfter === null || !last || Date.parse(last.time) > to) {
      return { events: events.filter((event) => Date.parse(event.time) <= to), cut: false };
    }
    after = page.nextAfter;
  }
  return { events, cut: true };
}

/** Those that name the order or a trade of it, and those of its user that were caused by them. */
export function related(order: Order, trades: readonly Trade[], events: readonly CloudEvent[]): CloudEvent[] {
  const ids = new Set(trades.map((trade) => trade.tradeId));
  const names = (event: CloudEvent) =>
    [event.data["orderId"], event.data["buyOrderId"], event.data["sellOrderId"]].includes(order.orderId) ||
    ids.has(String(event.data["tradeId"] ?? ""));
  const found = new Map(events.filter(names).map((event) => [event.id, event]));
  for (let before = -1; before < found.size; ) {
    before = found.size;
    for (const event of events) {
      const own = event.data["userId"] === undefined || event.data["userId"] === order.userId;
      if (own && event.causationid !== null && found.has(event.causationid)) found.set(event.id, event);
    }
  }
  return [...found.values()];
}

function stepOf(event: CloudEvent): Step {
  const service = event.source.replace("borsa/", "");
  const hidden = (name: string) => name.endsWith("Id") || name === "symbol";
  return { time: event.time, service, what: `${event.type} (${event.sequence})`, details: details(event.data, hidden) };
}

/** What its user was told of it. Notifications are no events. */
async function told(order: Order, trades: readonly Trade[]): Promise<Step[]> {
  const page = await get<Page<Notification>>("/api/notifications", { userId: order.userId, limit: 1000 });
  const ids = new Set([order.orderId, ...trades.map((trade) => trade.tradeId)]);
  const about = page.data.filter((each) => ids.has(String(each.data["tradeId"] ?? "")) || each.data["orderId"] === order.orderId);
  return about.map((each) => ({ time: each.createdAt, service: "notifications", what: each.title, details: each.body }));
}
