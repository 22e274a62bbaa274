// A labelled input with its unit, its hint and its fault. The fault is tied to the input for screen readers.

import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

interface Frame {
  label: string;
  fault?: string | undefined;
  hint?: ComponentChildren;
  unit?: string;
}

interface Props extends Frame {
  value: string;
  input: (value: string) => void;
  /** A number: right-aligned, with the keyboard for decimals. */
  numeric?: boolean;
  type?: "text" | "password" | "email" | "search";
  autocomplete?: string;
  required?: boolean;
  placeholder?: string;
  autofocus?: boolean;
  lines?: boolean;
  maxLength?: number;
  name?: string;
}

export function Field(props: Props) {
  const id = useId();
  const shared = {
    id,
    name: props.name,
    value: props.value,
    required: props.required,
    placeholder: props.placeholder,
    maxLength: props.maxLength,
    autoFocus: props.autofocus,
    "aria-invalid": props.fault ? ("true" as const) : undefined,
    "aria-describedby": props.fault || props.hint ? `${id}-said` : undefined,
  };
  return (
    <Framed {...props} id={id}>
      {props.lines ? (
        <textarea {...shared} onInput={(event) => props.input(event.currentTarget.value)} />
      ) : (
        <input
          {...shared}
          class={props.numeric ? "number" : undefined}
          // preact's types tell inputs apart by their type, which is one of several here
          type={(props.type ?? "text") as "text"}
          inputMode={props.numeric ? "decimal" : undefined}
          autoComplete={props.autocomplete ?? "off"}
          spellcheck={false}
          onInput={(event) => props.input(event.currentTarget.value)}
        />
      )}
    </Framed>
  );
}

interface SelectProps extends Frame {
  value: string;
  choose: (value: string) => void;
  options: readonly (readonly [value: string, label: string])[];
}

export function Select(props: SelectProps) {
  const id = useId();
  return (
    <Framed {...props} id={id}>
      <select id={id} value={props.value} onChange={(event) => props.choose(event.currentTarget.value)}>
        {props.options.map(([value, label]) => (
          <option key={value} value={value} selected={value === props.value}>
            {label}
          </option>
        ))}
      </select>
    </Framed>
  );
}

function Framed(props: Frame & { id: string; children: ComponentChildren }) {
  return (
    <div class={props.fault ? "field wrong" : "field"}>
      <label for={props.id}>{props.label}</label>
      <div class="box">
        {props.children}
        {props.unit && <span class="unit">{props.unit}</span>}
      </div>
      {props.fault ? (
        <span class="fault" id={`${props.id}-said`} role="alert">
          {props.fault}
        </span>
      ) : (
        props.hint && (
          <span class="hint" id={`${props.id}-said`}>
            {props.hint}
          </span>
        )
      )}
    </div>
  );
}

export function Check(props: { label: string; checked: boolean; change: (on: boolean) => void; disabled?: boolean }): JSX.Element {
  return (
    <label class="check">
      <input
        type="checkbox"
        checked={props.checked}
        disabled={props.disabled}
        onChange={(event) => props.change(event.currentTarget.checked)}
      />
      {props.label}
    </label>
  );
}
