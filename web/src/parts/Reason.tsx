// A dialog that asks for a reason, and does something with it.

import { useState } from "preact/hooks";
import { Dialog } from "./Dialog";
import { Field } from "./Field";
import { useForm } from "./form";

interface Props {
  title: string;
  verb: string;
  danger?: boolean;
  said: string;
  close: () => void;
  deed: (reason: string) => Promise<void>;
}

export function Reason(props: Props) {
  const [reason, setReason] = useState("");
  const form = useForm(["reason"]);
  const send = async (event: Event) => {
    event.preventDefault();
    if (await form.send(() => props.deed(reason.trim()))) props.close();
  };
  return (
    <Dialog title={props.title} close={props.close}>
      <form class="stack" onSubmit={send} noValidate>
        <p class="muted">{props.said}</p>
        <Field label="Reason" value={reason} input={setReason} fault={form.faults["reason"]} maxLength={200} />
        {form.fault && <p class="fault-box" role="alert">{form.fault}</p>}
        <footer>
          <button type="button" class="button" onClick={props.close}>
            Leave it
          </button>
          <button type="submit" class={props.danger ? "button danger" : "button main"} disabled={form.busy || !reason.trim()}>
            {props.verb}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
