// The page's one connection, and what is known of it.

import { effect, signal } from "@preact/signals";
import { currentToken, generation, user } from "../api/session";
import { Connection, type Listener, type Socket, type State } from "./connection";
import { Polling } from "./polling";

export const connection = signal<State>("connecting");

const hub = new Connection(
  {
    open: () => new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws`) as Socket,
    token: currentToken,
    after: (run, milliseconds) => {
      const timer = setTimeout(run, milliseconds);
      return () => clearTimeout(timer);
    },
    random: Math.random,
  },
  (state) => {
    if (state === "live") polling.stop();
    connection.value = polling.active ? "polling" : state;
  },
  () => polling.start(),
);
const polling = new Polling(hub.listeners);

/** Hear a channel from now on; call what is returned to end it. */
export const listen = (channel: string, listener: Listener): (() => void) => hub.listen(channel, listener);

/** A channel's snapshot anew. */
export const again = (channel: string): void => hub.again(channel);

/** Begin, once it is known who is there; follow the person and the token. */
export function startStream(): void {
  let who: string | null | undefined;
  let token = 0;
  effect(() => {
    const now = user.value === undefined ? undefined : (user.value?.userId ?? null);
    const current = generation.value;
    if (now === undefined) return;
    if (now !== who) hub.restart();
    else if (current !== token) void hub.authenticate();
    who = now;
    token = current;
  });
  addEventListener("online", () => hub.hurry());
}
