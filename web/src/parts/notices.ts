// Short messages at the edge of the page: what was done, what went wrong, what happened.

import { signal } from "@preact/signals";
import type { Notification } from "../api/types";

export interface Notice {
  id: number;
  tone: "good" | "bad" | "plain";
  title: string;
  body: string;
}

const SHOWN_MAX = 4;
const SECONDS = 6;
/** Kinds that are worth interrupting for; the rest waits in the list. */
const LOUD = new Set(["fill", "message"]);

export const notices = signal<Notice[]>([]);
let next = 1;

export function notify(tone: Notice["tone"], title: string, body = ""): void {
  const notice = { id: next++, tone, title, body };
  notices.value = [...notices.value, notice].slice(-SHOWN_MAX);
  setTimeout(() => dismiss(notice.id), SECONDS * 1000 * (tone === "bad" ? 2 : 1));
}

export function dismiss(id: number): void {
  notices.value = notices.value.filter((notice) => notice.id !== id);
}

/** A notification that just arrived. */
export function announce(told: Notification): void {
  if (LOUD.has(told.kind) && !told.readAt) notify("plain", told.title, told.body);
}
