// A row of tabs, and a row of segments of which one is chosen; both go by arrow keys.

import type { ComponentChildren } from "preact";

type Option<V extends string> = readonly [value: V, label: ComponentChildren];

interface Props<V extends string> {
  label: string;
  value: V;
  options: readonly Option<V>[];
  choose: (value: V) => void;
}

export function Tabs<V extends string>(props: Props<V>) {
  return (
    <div class="tabs" role="tablist" aria-label={props.label} onKeyDown={(event) => byArrow(event, props)}>
      {props.options.map(([value, label]) => (
        <button
          key={value}
          type="button"
          role="tab"
          aria-selected={value === props.value}
          tabIndex={value === props.value ? 0 : -1}
          onClick={() => props.choose(value)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

export function Segments<V extends string>(props: Props<V> & { tone?: (value: V) => string }) {
  return (
    <div class="segments" role="radiogroup" aria-label={props.label} onKeyDown={(event) => byArrow(event, props)}>
      {props.options.map(([value, label]) => (
        <button
          key={value}
          type="button"
          role="radio"
          class={props.tone?.(value)}
          aria-checked={value === props.value}
          tabIndex={value === props.value ? 0 : -1}
          onClick={() => props.choose(value)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

const FORTH = new Set(["ArrowRight", "ArrowDown"]);
const BACK = new Set(["ArrowLeft", "ArrowUp"]);

function byArrow<V extends string>(event: KeyboardEvent, props: Props<V>): void {
  const step = FORTH.has(event.key) ? 1 : BACK.has(event.key) ? -1 : 0;
  if (!step) return;
  event.preventDefault();
  const at = props.options.findIndex(([value]) => value === props.value);
  const next = (at + step + props.options.length) % props.options.length;
  props.choose(props.options[next]![0]);
  const row = event.currentTarget as HTMLElement;
  queueMicrotask(() => (row.children[next] as HTMLElement | undefined)?.focus());
}
