// What is one's own: orders, fills, wallets, portfolios and notifications. Read once by REST, then followed.

import { batch, computed, effect, signal, type Signal } from "@preact/signals";
import { listen } from "../streams/hub";
import { LOST, TOO_FAR_BACK } from "../streams/connection";
import type { Own, OwnChannel } from "../streams/messages";
import { get } from "./http";
import { user } from "./session";
import { announce } from "../parts/notices";
import type { Notification, Order, OrderStatus, Page, Portfolio, Trade, Wallet } from "./types";

const KEPT = 200;
const OPEN: ReadonlySet<OrderStatus> = new Set(["pending", "open", "partially_filled"]);

export const orders = signal<ReadonlyMap<string, Order>>(new Map());
export const fills = signal<ReadonlyMap<string, Trade>>(new Map());
export const wallets = signal<ReadonlyMap<string, Wallet>>(new Map());
export const portfolios = signal<ReadonlyMap<string, Portfolio>>(new Map());
export const notifications = signal<ReadonlyMap<string, Notification>>(new Map());
/** Is everything own read at least once? */
export const loaded = signal(false);

const newestFirst = (one: string, other: string): number =>
  one.length === other.length ? (one < other ? 1 : -1) : other.length - one.length;

export const isOpen = (order: Order): boolean => OPEN.has(order.status);
export const openOrders = computed(() =>
  [...orders.value.values()].filter(isOpen).sort((one, other) => newestFirst(one.orderId, other.orderId)),
);
export const closedOrders = computed(() =>
  [...orders.value.values()]
    .filter((order) => !isOpen(order))
    .sort((one, other) => newestFirst(one.orderId, other.orderId)),
);
export const newestFills = computed(() =>
  [...fills.value.values()].sort((one, other) => newestFirst(one.tradeId, other.tradeId)),
);
/** Orders spend from the default wallet, which is the first of the list. */
export const wallet = computed(() => [...wallets.value.values()][0]);
export const unread = computed(() => [...notifications.value.values()].filter((each) => !each.readAt).length);
export const newestNotifications = computed(() =>
  [...notifications.value.values()].sort((one, other) => (one.notificationId < other.notificationId ? 1 : -1)),
);

/** An order as it was answered, unless something newer is known. */
export function takeOrder(order: Order): void {
  const known = orders.value.get(order.orderId);
  if (!known || known.version <= order.version) put(orders, order.orderId, order);
}

export function takeWallet(changed: Wallet): void {
  const known = wallets.value.get(changed.walletId);
  if (!known || known.version <= changed.version) put(wallets, changed.walletId, changed);
}

export function takeNotification(changed: Notification): void {
  put(notifications, changed.notificationId, changed);
}

function put<T>(all: Signal<ReadonlyMap<string, T>>, id: string, one: T): void {
  const next = new Map(all.value);
  next.set(id, one);
  all.value = next;
}

const take: { [C in OwnChannel]: (data: Own[C]) => void } = {
  orders: takeOrder,
  fills: (trade) => put(fills, trade.tradeId, trade),
  wallets: takeWallet,
  portfolios: (portfolio) => {
    const known = portfolios.value.get(portfolio.portfolioId);
    if (!known || known.version <= portfolio.version) put(portfolios, portfolio.portfolioId, portfolio);
  },
  notifications: (told) => {
    takeNotification(told);
    announce(told);
  },
};

const read: { [C in OwnChannel]: (userId: string) => Promise<void> } = {
  async orders(userId) {
    const lists = await Promise.all([
      ...[...OPEN].map((status) => list<Order>("/api/orders", userId, { status, limit: KEPT })),
      list<Order>("/api/orders", userId, { limit: KEPT }),
    ]);
    for (const order of lists.flat()) takeOrder(order);
  },
  async fills(userId) {
    for (const trade of await list<Trade>("/api/trades", userId, { limit: KEPT })) take.fills(trade);
  },
  async wallets(userId) {
    for (const each of await list<Wallet>("/api/wallets", userId)) takeWallet(each);
  },
  async portfolios(userId) {
    const path = `/api/portfolios/user/${userId}`;
    for (const each of (await get<Page<Portfolio>>(path)).data) take.portfolios(each);
  },
  async notifications(userId) {
    const found = await list<Notification>("/api/notifications", userId, { limit: 50 });
    batch(() => found.forEach(takeNotification));
  },
};

async function list<T>(path: string, userId: string, query: Record<string, string | number> = {}): Promise<T[]> {
  return (await get<Page<T>>(path, { userId, ...query })).data;
}

/** Read one kind anew. */
export async function reload(channel: OwnChannel): Promise<void> {
  const userId = user.value?.userId;
  if (userId) await read[channel](userId);
}

function clear(): void {
  batch(() => {
    for (const each of [orders, fills, wallets, portfolios, notifications]) each.value = new Map();
    loaded.value = false;
  });
}

/** Follow the person who is signed in, whoever that is. */
export function followOwn(): void {
  const channels = Object.keys(take) as OwnChannel[];
  for (const channel of channels) {
    listen(channel, (message) => {
      if (message.type === TOO_FAR_BACK) void reload(channel);
      // what the stream follows from is known: read what was before, so that nothing lies between
      else if (message.type === "snapshot") void reload(channel).catch(() => {});
      else if (message.type !== LOST) {
        const data = (message as unknown as { data: Own[OwnChannel] | null }).data;
        // what is gone is seen at the next reading; nothing of it can be acted upon
        if (data === null) return;
        const mine = user.value?.userId;
        // admins may be told of everybody
        if (((data as { userId?: string }).userId ?? mine) === mine) (take[channel] as (data: Own[OwnChannel]) => void)(data);
      }
    });
  }
  effect(() => {
    const userId = user.value?.userId;
    clear();
    if (!userId) return;
    void Promise.all(channels.map((channel) => read[channel](userId)))
      .then(() => (loaded.value = true))
      .catch(() => {});
  });
}
