// The names behind ids, each asked for once.

import { signal } from "@preact/signals";
import { get } from "../api/http";
import type { User, Wallet } from "../api/types";

const known = signal<ReadonlyMap<string, string>>(new Map());
const asked = new Set<string>();

/** The name of a user; the id until it is known, and where nobody has it any more. */
export const userName = (id: string): string => named(id, async () => (await get<User>(`/api/users/${id}`)).userName);

/** The name of a wallet's owner. */
export const ownerName = (walletId: string): string =>
  named(walletId, async () => {
    const { userId } = await get<Wallet>(`/api/wallets/${walletId}`);
    return (await get<User>(`/api/users/${userId}`)).userName;
  });

function named(id: string, ask: () => Promise<string>): string {
  if (!asked.has(id)) {
    asked.add(id);
    ask().then(
      (name) => (known.value = new Map(known.value).set(id, name)),
      () => {},
    );
  }
  return known.value.get(id) ?? id;
}
