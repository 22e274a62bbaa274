// A button that opens a small box below itself; Escape, a choice and a click elsewhere close it.

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface Props {
  label: string;
  face: ComponentChildren;
  kind?: string;
  right?: boolean;
  children: (close: () => void) => ComponentChildren;
}

export function Menu(props: Props) {
  const [open, setOpen] = useState(false);
  const holder = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (!open) return;
    const elsewhere = (event: Event) => {
      if (!holder.current?.contains(event.target as Node)) setOpen(false);
    };
    const key = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      button.current?.focus();
    };
    addEventListener("pointerdown", elsewhere);
    addEventListener("focusin", elsewhere);
    addEventListener("keydown", key);
    return () => {
      removeEventListener("pointerdown", elsewhere);
      removeEventListener("focusin", elsewhere);
      removeEventListener("keydown", key);
    };
  }, [open]);
  return (
    <div class="holder" ref={holder}>
      <button
        ref={button}
        type="button"
        class={props.kind ?? "button"}
        aria-label={props.label}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {props.face}
      </button>
      {open && <div class={props.right ? "menu right" : "menu"}>{props.children(() => setOpen(false))}</div>}
    </div>
  );
}
