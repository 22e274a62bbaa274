// Where in the page one is: the part of the address behind #. The server serves one document, whatever is there.

import { computed, signal } from "@preact/signals";

const read = (): string => decodeURIComponent(location.hash.replace(/^#\/?/, ""));

/** The place, without the leading "#/": "trade/BTC-USD". */
export const place = signal(read());

/** Its parts. */
export const steps = computed(() => place.value.split("/").filter(Boolean));

addEventListener("hashchange", () => (place.value = read()));

export const link = (to: string): string => `#/${to}`;

export function go(to: string): void {
  location.hash = link(to);
}
