// What admins did, in all services, newest first.

import { useState } from "preact/hooks";
import type { Action } from "../api/types";
import { moment } from "../money/time";
import { Select } from "../parts/Field";
import { More } from "../parts/More";
import { usePages } from "../parts/pages";
import { Table, Two } from "../parts/Table";
import { details } from "./details";
import { SERVICES } from "./metrics";
import { userName } from "./names";

export function Audit() {
  const [service, setService] = useState("");
  const pages = usePages<Action>("/api/actions", { service });
  return (
    <section class="panel">
      <header>
        <h2>Audit log</h2>
      </header>
      <div class="body short-field">
        <Select label="Service" value={service} choose={setService} options={[["", "All"], ...SERVICES.map((each) => [each, each] as const)]} />
      </div>
      <Table
        caption="What admins did"
        rows={pages.rows}
        name={(row) => `${row.service}/${row.sequence}`}
        empty={pages.ready ? "Nothing so far" : "Loading"}
        columns={[
          { label: "Time", cell: (row) => moment(row.time), all: true },
          { label: "Admin", cell: (row) => userName(row.author), all: true },
          { label: "Did", cell: (row) => <Two first={row.action} second={row.service} />, all: true },
          { label: "To", cell: (row) => <Two first={details(row.details)} second={row.target} />, long: true },
        ]}
      />
      <More more={pages.more} />
    </section>
  );
}
