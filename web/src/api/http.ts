// Requests to the exchange: JSON in and out, refusals as Problem, and one more try after the access token was renewed.

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly fields: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
  }

  /** Surely nothing was done. Where nobody answered, or the exchange had a fault, nobody knows. */
  get definite(): boolean {
    return this.status >= 400 && this.status < 500 && this.code !== "order_in_progress";
  }
}

/** Who may call: set by the session. */
export interface Credentials {
  /** The access token, renewed first where it is about to end; null for nobody. */
  token(): Promise<string | null>;
  /** The token was refused: get another one. False when there is none to get. */
  renew(): Promise<boolean>;
}

let credentials: Credentials = { token: async () => null, renew: async () => false };

export function useCredentials(given: Credentials): void {
  credentials = given;
}

export interface Options {
  body?: unknown;
  /** Wait so many seconds for the engine's word. */
  wait?: number;
  /** For what must happen once, however often it is sent. */
  idempotencyKey?: string;
  /** Without a token. */
  anonymous?: boolean;
  signal?: AbortSignal;
}

export type Query = Record<string, string | number | boolean | null | undefined>;

/** An address with the parameters that are there. */
export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** The answer's body; a Problem when it was refused, or when nobody answered. */
export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  let answer = await send(method, path, options);
  if (answer.status === 401 && !options.anonymous && (await credentials.renew())) {
    answer = await send(method, path, options);
  }
  if (!answer.ok) throw await problemOf(answer);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const get = <T>(path: string, query: Query = {}, options: Options = {}): Promise<T> =>
  call<T>("GET", address(path, query), options);

async function send(method: string, path: string, options: Options): Promise<Response> {
  const headers: Record<string, string> = {};
  const token = options.anonymous ? null : await credentials.token();
  if (token) headers["authorization"] = `Bearer ${token}`;
  if (options.body !== undefined) headers["content-type"] = "application/json";
  if (options.wait) headers["prefer"] = `wait=${options.wait}`;
  if (options.idempotencyKey) headers["idempotency-key"] = options.idempotencyKey;
  const body = options.body === undefined ? null : JSON.stringify(options.body);
  try {
    return await fetch(path, { method, headers, body, ...(options.signal ? { signal: options.signal } : {}) });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "The exchange can't be reached");
  }
}

async function problemOf(answer: Response): Promise<Problem> {
  try {
    const said = (await answer.json()) as { code: string; detail: string; errors?: { field: string; message: string }[] };
    const fields = Object.fromEntries((said.errors ?? []).map((each) => [each.field, each.message]));
    return new Problem(answer.status, said.code, said.detail, fields);
  } catch {
    return new Problem(answer.status, "unreadable", `The exchange answered ${answer.status}`);
  }
}

/** What to tell a person of whatever was thrown. */
export function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A fresh idempotency key. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
