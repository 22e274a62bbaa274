// The one connection to /ws: who listens to a channel is told its messages; when it is lost it is made again, with
// growing pauses, and own channels go on behind the last message that came.

import type { ChannelMessage, ErrorMessage } from "./messages";

export type State = "connecting" | "live" | "reconnecting" | "polling";
export type Listener = (message: ChannelMessage) => void;

/** What of a browser's WebSocket is used; tests have their own. */
export interface Socket {
  onopen: (() => void) | null;
  onmessage: ((event: { data: string }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
  send(text: string): void;
  close(): void;
}

export interface Surroundings {
  open(): Socket;
  /** The access token for own channels; null for nobody. */
  token(): Promise<string | null>;
  after(run: () => void, milliseconds: number): () => void;
  random(): number;
}

const OWN = new Set(["orders", "fills", "wallets", "portfolios", "notifications"]);
const PAUSE_MIN = 500;
const PAUSE_MAX = 15_000;
const SILENCE = 20_000;

/** A lost channel: what was known of it is no longer certain. */
export const LOST = "lost";
/** Own events are too far back: what was known is to be read again. */
export const TOO_FAR_BACK = "too_far_back";

export class Connection {
  private socket: Socket | null = null;
  private tries = 0;
  private nextId = 1;
  private authenticated = false;
  readonly listeners = new Map<string, Set<Listener>>();
  private readonly sequences = new Map<string, number>();
  /** Which channel was to go on, by the id of the subscription. */
  private readonly resumed = new Map<number, string>();
  private stopWaiting: (() => void) | null = null;
  private stopWatching: (() => void) | null = null;

  constructor(
    private readonly surroundings: Surroundings,
    private readonly changed: (state: State) => void,
    /** The handshake failed before it ever succeeded: there may be no stream here. */
    private readonly unavailable: () => void = () => {},
  ) {}

  start(): void {
    this.stopWaiting?.();
    this.stopWaiting = null;
    this.changed(this.tries ? "reconnecting" : "connecting");
    const socket = this.surroundings.open();
    this.socket = socket;
    this.authenticated = false;
    this.resumed.clear();
    let opened = false;
    socket.onopen = () => {
      opened = true;
      void this.greet(socket);
    };
    socket.onmessage = (event) => this.take(socket, event.data);
    socket.onclose = () => {
      if (socket === this.socket) this.lost(opened);
    };
  }

  /** Hear a channel from now on; call what is returned to end it. */
  listen(channel: string, listener: Listener): () => void {
    const there = this.listeners.get(channel);
    if (there) {
      there.add(listener);
      // a later listener needs the snapshot as well
      this.again(channel);
    } else {
      this.listeners.set(channel, new Set([listener]));
      this.ask("subscribe", channel);
    }
    return () => this.leave(channel, listener);
  }

  /** Ask for a channel's snapshot again. */
  again(channel: string): void {
    this.ask("unsubscribe", channel);
    this.ask("subscribe", channel);
  }

  /** The person has a new token. */
  async authenticate(): Promise<void> {
    const token = await this.surroundings.token();
    if (token) this.send({ op: "authenticate", id: this.nextId++, token });
  }

  /** Somebody else is here now: nothing of what was heard counts any more. */
  restart(): void {
    for (const channel of OWN) this.sequences.delete(channel);
    const socket = this.socket;
    this.socket = null;
    socket?.close();
    this.start();
  }

  /** The network is back: try now. */
  hurry(): void {
    if (this.stopWaiting) this.start();
  }

  private leave(channel: string, listener: Listener): void {
    const there = this.listeners.get(channel);
    if (!there?.delete(listener) || there.size) return;
    this.listeners.delete(channel);
    this.sequences.delete(channel);
    this.ask("unsubscribe", channel);
  }

  private async greet(socket: Socket): Promise<void> {
    const token = await this.surroundings.token();
    if (socket !== this.socket) return;
    if (token) this.send({ op: "authenticate", id: this.nextId++, token });
    this.tries = 0;
    this.changed("live");
    this.watch(socket);
    for (const channel of this.listeners.keys()) if (!OWN.has(channel)) this.ask("subscribe", channel);
  }

  private welcome(): void {
    if (this.authenticated) return;
    this.authenticated = true;
    for (const channel of this.listeners.keys()) if (OWN.has(channel)) this.ask("subscribe", channel);
  }

  /** One channel at a time: a subscription is refused as a whole. */
  private ask(op: "subscribe" | "unsubscribe", channel: string): void {
    if (OWN.has(channel) && !this.authenticated) return;
    const id = this.nextId++;
    const sequence = OWN.has(channel) && op === "subscribe" ? this.sequences.get(channel) : undefined;
    if (sequence !== undefined) this.resumed.set(id, channel);
    this.send({ op, id, channels: [channel], ...(sequence === undefined ? {} : { after: { [channel]: sequence } }) });
  }

  private send(message: object): void {
    if (this.socket && !this.stopWaiting) {
      try {
        this.socket.send(JSON.stringify(message));
      } catch {
        // it is opening or closing: what is wanted is asked for when it is open
      }
    }
  }

  private take(socket: Socket, text: string): void {
    if (socket !== this.socket) return;
    this.watch(socket);
    const message = JSON.parse(text) as ChannelMessage | ErrorMessage;
    if (message.type === "error") {
      const error = message as ErrorMessage;
      // behind what is kept, or ahead of what there is: another exchange answers at this address now
      const channel = this.resumed.get(error.id ?? -1);
      if (channel && (error.code === TOO_FAR_BACK || error.field === "after")) this.startAnew(channel);
      return;
    }
    const said = message as ChannelMessage;
    if (said.type === "authenticated") this.welcome();
    if (!said.channel || (said.type !== "snapshot" && said.type !== "change")) return;
    if (OWN.has(said.channel) && said.sequence !== undefined) this.sequences.set(said.channel, said.sequence);
    this.tell(said.channel, said);
  }

  private startAnew(channel: string): void {
    this.sequences.delete(channel);
    this.tell(channel, { type: TOO_FAR_BACK, channel });
    this.ask("subscribe", channel);
  }

  private tell(channel: string, message: ChannelMessage): void {
    for (const listener of this.listeners.get(channel) ?? []) listener(message);
  }

  /** A connection that says nothing for long is asked whether it is there, and then is not. */
  private watch(socket: Socket): void {
    this.stopWatching?.();
    this.stopWatching = this.surroundings.after(() => {
      this.send({ op: "ping", id: this.nextId++ });
      this.stopWatching = this.surroundings.after(() => {
        if (socket === this.socket) {
          this.socket = null;
          socket.close();
          this.lost(true);
        }
      }, SILENCE / 2);
    }, SILENCE);
  }

  private lost(opened: boolean): void {
    this.stopWatching?.();
    this.socket = null;
    this.authenticated = false;
    if (!opened && this.tries === 0) this.unavailable();
    if (opened) for (const channel of this.listeners.keys()) this.tell(channel, { type: LOST, channel });
    this.changed("reconnecting");
    const pause = Math.min(PAUSE_MAX, PAUSE_MIN * 2 ** this.tries) * (0.5 + this.surroundings.random() / 2);
    this.tries++;
    this.stopWaiting = this.surroundings.after(() => this.start(), pause);
  }
}
