// Who is signed in. The access token is kept in memory only; the refresh token is a cookie that no script can read.
// Tabs share the cookie, and tell each other when somebody signs in or out.

import { signal } from "@preact/signals";
import { Problem, call, get, useCredentials } from "./http";
import type { User } from "./types";

interface Tokens {
  accessToken: string;
  expiresIn: number;
}

const RENEW_BEFORE_SECONDS = 60;
const HINT = "borsa.session";

/** The person, null for nobody, undefined while it is not known yet. */
export const user = signal<User | null | undefined>(undefined);

/** Grows with each new access token: the stream authenticates itself anew. */
export const generation = signal(0);

let token: string | null = null;
let endsAt = 0;
let renewing: Promise<boolean> | null = null;
let timer: ReturnType<typeof setTimeout> | undefined;
const tabs = new BroadcastChannel("borsa.session");

/** At the start: the person of the cookie, if there is one. */
export async function resume(): Promise<void> {
  if (localStorage.getItem(HINT) && (await renew())) await identify();
  else user.value = null;
}

export async function signIn(userName: string, password: string): Promise<void> {
  accept(await call<Tokens>("POST", "/api/users/login", { body: { userName, password, cookie: true }, anonymous: true }));
  await identify();
  tabs.postMessage("in");
}

export async function signUp(userName: string, password: string, email: string | null): Promise<void> {
  const body = { userName, password, ...(email ? { email } : {}) };
  await call<User>("POST", "/api/users/register", { body, anonymous: true });
  await signIn(userName, password);
}

export async function signOut(): Promise<void> {
  try {
    await call<void>("POST", "/api/users/logout");
  } catch (error) {
    // a session that has ended already is what was wanted
    if (!(error instanceof Problem && error.status === 401)) throw error;
  }
  forget();
  tabs.postMessage("out");
}

/** The profile anew, after it was changed. */
export async function identify(): Promise<void> {
  user.value = await get<User>("/api/users/profile");
}

/** The access token as it is now, for the stream; null for nobody. */
export async function currentToken(): Promise<string | null> {
  if (token && Date.now() > endsAt - 5000) await renew();
  return token;
}

function accept(tokens: Tokens): void {
  token = tokens.accessToken;
  endsAt = Date.now() + tokens.expiresIn * 1000;
  localStorage.setItem(HINT, "1");
  generation.value++;
  clearTimeout(timer);
  const wait = Math.max(5, tokens.expiresIn - RENEW_BEFORE_SECONDS);
  timer = setTimeout(() => void renew(), wait * 1000);
}

function forget(): void {
  clearTimeout(timer);
  token = null;
  localStorage.removeItem(HINT);
  user.value = null;
  generation.value++;
}

/** Another access token by the cookie. False when the session has ended. One at a time. */
export function renew(): Promise<boolean> {
  renewing ??= exchange().finally(() => (renewing = null));
  return renewing;
}

async function exchange(): Promise<boolean> {
  try {
    accept(await call<Tokens>("POST", "/api/users/refresh_token", { body: { cookie: true }, anonymous: true }));
    return true;
  } catch (error) {
    if (error instanceof Problem && error.status === 401) forget();
    // otherwise the exchange is away for a moment, and the session may still be there
    else if (token) timer = setTimeout(() => void renew(), 5000);
    return false;
  }
}

tabs.onmessage = (message: MessageEvent<string>) => {
  if (message.data === "out") forget();
  else if (!token) void resume();
};

useCredentials({ token: currentToken, renew });
