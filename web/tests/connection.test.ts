import { beforeEach, describe, expect, test } from "vitest";
import { Connection, LOST, TOO_FAR_BACK, type Socket, type State } from "../src/streams/connection";
import type { ChannelMessage } from "../src/streams/messages";

/** A socket whose other end is the test. */
class FakeSocket implements Socket {
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  readonly sent: Record<string, unknown>[] = [];
  closed = false;

  send(text: string): void {
    this.sent.push(JSON.parse(text) as Record<string, unknown>);
  }

  close(): void {
    this.closed = true;
  }

  say(message: object): void {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  drop(): void {
    this.onclose?.({ code: 1006 });
  }

  asked(op: string): Record<string, unknown>[] {
    return this.sent.filter((message) => message["op"] === op);
  }
}

let sockets: FakeSocket[];
let waiting: { run: () => void; milliseconds: number; stopped: boolean }[];
let states: State[];
let token: string | null;
let connection: Connection;
let unavailable: number;

const socket = () => sockets.at(-1)!;
const settled = () => new Promise<void>((done) => setTimeout(done));

async function open(): Promise<void> {
  socket().onopen?.();
  await settled();
}

/** Let the longest wait that is asked for be over. */
function elapse(): void {
  const next = waiting.filter((each) => !each.stopped).at(-1)!;
  next.stopped = true;
  next.run();
}

beforeEach(() => {
  [sockets, waiting, states, token, unavailable] = [[], [], [], null, 0];
  connection = new Connection(
    {
      open() {
        sockets.push(new FakeSocket());
        return socket();
      },
      token: async () => token,
      after(run, milliseconds) {
        const each = { run, milliseconds, stopped: false };
        waiting.push(each);
        return () => void (each.stopped = true);
      },
      random: () => 1,
    },
    (state) => states.push(state),
    () => unavailable++,
  );
});

describe("a connection", () => {
  test("asks for what is listened to once it is open, and tells who listens", async () => {
    const heard: ChannelMessage[] = [];
    connection.listen("book:BTC-USD", (message) => heard.push(message));
    connection.start();
    await open();
    expect(socket().asked("subscribe")[0]).toMatchObject({ channels: ["book:BTC-USD"] });
    socket().say({ type: "snapshot", channel: "book:BTC-USD", sequence: 1 });
    socket().say({ type: "snapshot", channel: "book:ETH-USD", sequence: 1 });
    expect(heard).toHaveLength(1);
    expect(states).toEqual(["connecting", "live"]);
  });

  test("own channels wait until the person is known", async () => {
    token = "the-token";
    connection.listen("orders", () => {});
    connection.start();
    await open();
    expect(socket().sent[0]).toMatchObject({ op: "authenticate", token: "the-token" });
    expect(socket().asked("subscribe")).toEqual([]);
    socket().say({ type: "authenticated", id: 1 });
    expect(socket().asked("subscribe")[0]).toMatchObject({ channels: ["orders"] });
    expect(socket().asked("subscribe")[0]).not.toHaveProperty("after");
  });

  test("after a loss it says so, comes back by itself, and own channels go on where they were", async () => {
    token = "the-token";
    const heard: string[] = [];
    connection.listen("orders", (message) => heard.push(message.type));
    connection.start();
    await open();
    socket().say({ type: "authenticated" });
    socket().say({ type: "snapshot", channel: "orders", sequence: 40 });
    socket().say({ type: "change", channel: "orders", sequence: 42, data: {} });
    socket().drop();
    expect(heard).toEqual(["snapshot", "change", LOST]);
    expect(states.at(-1)).toBe("reconnecting");
    elapse();
    expect(sockets).toHaveLength(2);
    await open();
    socket().say({ type: "authenticated" });
    expect(socket().asked("subscribe")[0]).toMatchObject({ channels: ["orders"], after: { orders: 42 } });
    expect(states.at(-1)).toBe("live");
  });

  test.each([
    ["what is too far back", { code: TOO_FAR_BACK }],
    ["an exchange that knows less", { code: "invalid_request", field: "after" }],
  ])("%s makes the channel begin anew, and whoever listens is told", async (_, refusal) => {
    token = "the-token";
    const heard: string[] = [];
    connection.listen("fills", (message) => heard.push(message.type));
    connection.start();
    await open();
    socket().say({ type: "authenticated" });
    socket().say({ type: "snapshot", channel: "fills", sequence: 3 });
    socket().drop();
    elapse();
    await open();
    socket().say({ type: "authenticated" });
    const asked = socket().asked("subscribe")[0]!;
    expect(asked).toMatchObject({ after: { fills: 3 } });
    socket().say({ type: "error", id: asked["id"], detail: "", ...refusal });
    expect(heard.at(-1)).toBe(TOO_FAR_BACK);
    expect(socket().asked("subscribe").at(-1)).toMatchObject({ channels: ["fills"] });
    expect(socket().asked("subscribe").at(-1)).not.toHaveProperty("after");
  });

  test("pauses grow, and are bounded", async () => {
    connection.start();
    await open();
    const pauses: number[] = [];
    for (let time = 0; time < 8; time++) {
      socket().drop();
      pauses.push(waiting.at(-1)!.milliseconds);
      elapse();
    }
    expect(pauses).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  });

  test("a connection that says nothing is asked, then given up", async () => {
    connection.start();
    await open();
    const first = socket();
    elapse();
    expect(first.asked("ping")).toHaveLength(1);
    elapse();
    expect(first.closed).toBe(true);
    expect(states.at(-1)).toBe("reconnecting");
  });

  test("a handshake that never succeeds is told: there may be no stream", () => {
    connection.start();
    socket().drop();
    expect(unavailable).toBe(1);
    elapse();
    socket().drop();
    expect(unavailable).toBe(1);
  });

  test("another person hears nothing of the one before", async () => {
    token = "one";
    const heard: string[] = [];
    connection.listen("orders", (message) => heard.push(message.type));
    connection.start();
    await open();
    const first = socket();
    first.say({ type: "authenticated" });
    first.say({ type: "snapshot", channel: "orders", sequence: 9 });
    token = "other";
    connection.restart();
    first.say({ type: "change", channel: "orders", sequence: 10, data: {} });
    expect(heard).toEqual(["snapshot"]);
    await open();
    socket().say({ type: "authenticated" });
    expect(socket().asked("subscribe")[0]).not.toHaveProperty("after");
  });

  test("who stops listening is no longer told, and the channel is left", async () => {
    connection.start();
    await open();
    const stop = connection.listen("trades:BTC-USD", () => {
      throw new Error("told");
    });
    stop();
    expect(socket().asked("unsubscribe")[0]).toMatchObject({ channels: ["trades:BTC-USD"] });
    socket().say({ type: "change", channel: "trades:BTC-USD", trades: [] });
  });
});
