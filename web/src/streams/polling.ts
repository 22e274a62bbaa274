// In place of the stream, where something on the way lets no WebSocket through: what is listened to is asked for by REST
// every few seconds, and told as the stream would tell it.

import { get } from "../api/http";
import { LOST, type Listener } from "./connection";
import type { ChannelMessage } from "./messages";

export const POLL_SECONDS = 2;

export class Polling {
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking = false;

  constructor(private readonly listeners: ReadonlyMap<string, ReadonlySet<Listener>>) {}

  get active(): boolean {
    return this.timer !== undefined;
  }

  start(): void {
    if (!this.active) this.timer = setInterval(() => void this.ask(), POLL_SECONDS * 1000);
    void this.ask();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  private async ask(): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    await Promise.all([...this.listeners.keys()].map((channel) => this.askOne(channel)));
    this.asking = false;
  }

  private async askOne(channel: string): Promise<void> {
    let message: ChannelMessage;
    try {
      message = { ...(await snapshot(channel)), channel } as ChannelMessage;
    } catch {
      // what is shown is no longer certain
      message = { type: LOST, channel };
    }
    if (this.active) for (const listener of this.listeners.get(channel) ?? []) listener(message);
  }
}

async function snapshot(channel: string): Promise<object> {
  const [kind, symbol, interval] = channel.split(":");
  const market = `/api/markets/${symbol}`;
  const public_ = { anonymous: true };
  switch (kind) {
    case "book":
      return { type: "snapshot", ...(await get<object>(`${market}/book`, { depth: 100 }, public_)) };
    case "trades":
      return { type: "snapshot", trades: (await get<{ data: unknown }>(`${market}/trades`, { limit: 50 }, public_)).data };
    case "ticker":
      return { type: "snapshot", ticker: await get<object>(`${market}/ticker`, {}, public_) };
    case "candles":
      return { type: "snapshot", candles: (await get<{ data: unknown }>(`${market}/candles`, { interval, limit: 2 }, public_)).data };
    case "markets":
      return { type: "snapshot", markets: (await get<{ data: unknown }>("/api/markets", {}, public_)).data };
    default:
      // own things are read anew by whoever hears that the stream begins
      return { type: "snapshot", sequence: 0 };
  }
}
