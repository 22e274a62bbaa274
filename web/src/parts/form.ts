// What every form does: send once, show what was refused at its field, and be busy meanwhile.

import { useState } from "preact/hooks";
import { Problem, words } from "../api/http";

export interface Form {
  busy: boolean;
  /** What was refused, by the field's name on the wire. */
  faults: Readonly<Record<string, string>>;
  /** What was refused and has no field here. */
  fault: string | undefined;
  /** Do it; faults are shown, and false is returned. */
  send(deed: () => Promise<void>): Promise<boolean>;
  /** Say what is wrong before anything is sent. */
  refuse(faults: Record<string, string>): void;
  clear(): void;
}

/** The form in which somebody is. */
const sender = () => document.activeElement?.closest("form");

/** `fields`: the names that the form shows faults at. */
export function useForm(fields: readonly string[]): Form {
  const [busy, setBusy] = useState(false);
  const [faults, setFaults] = useState<Record<string, string>>({});
  const [fault, setFault] = useState<string | undefined>();
  const clear = () => {
    setFaults({});
    setFault(undefined);
  };
  const show = (named: Record<string, string>, form: Element | null | undefined) => {
    setFaults(named);
    // whoever sent the form by a key goes on at what is wrong
    requestAnimationFrame(() => form?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus());
  };
  return {
    busy,
    faults,
    fault,
    clear,
    refuse: (named) => show(named, sender()),
    async send(deed) {
      const form = sender();
      clear();
      setBusy(true);
      try {
        await deed();
        return true;
      } catch (error) {
        const named = error instanceof Problem ? error.fields : {};
        const shown = Object.entries(named).filter(([name]) => fields.includes(name));
        if (shown.length) show(Object.fromEntries(shown), form);
        if (!shown.length) setFault(words(error));
        return false;
      } finally {
        setBusy(false);
      }
    },
  };
}
