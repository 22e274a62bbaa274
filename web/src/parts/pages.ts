// A list that is read page by page.

import { useEffect, useState } from "preact/hooks";
import { get, words, type Query } from "../api/http";
import type { Page } from "../api/types";
import { notify } from "./notices";

export interface Pages<T> {
  rows: T[];
  ready: boolean;
  /** The next page, where there is one. */
  more: (() => void) | undefined;
  again: () => void;
  change: (rows: (before: T[]) => T[]) => void;
}

export function usePages<T>(path: string, query: Query = {}): Pages<T> {
  const [rows, setRows] = useState<T[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const [ready, setReady] = useState(false);
  const read = async (from: string | null) => {
    try {
      const page = await get<Page<T>>(path, { limit: 100, ...query, cursor: from });
      setRows((before) => (from ? [...before, ...page.data] : page.data));
      setCursor(page.nextCursor);
      setReady(true);
    } catch (error) {
      notify("bad", "The list can't be read", words(error));
    }
  };
  const asked = JSON.stringify([path, query]);
  useEffect(() => void read(null), [asked]);
  return { rows, ready, more: cursor ? () => void read(cursor) : undefined, again: () => void read(null), change: setRows };
}
