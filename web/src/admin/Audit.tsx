// What admins did, in all services, newest first.

import { useState } from "preact/hooks";
import type { Action } from "../api/types";
import { moment } from "../money/time";
import { Select } from "../parts/Field";
import { More } from "../parts/More";
import { usePages } from "../parts/pages";
import { Table } from "../parts/Table";
import { SERVICES } from "./metrics";

export function Audit() {
  const [service, setService] = useState("");
  const pages = usePages<Action>("/api/actions", { service });
  return (
    <section class="panel">
      <header>
        <h2>Audit log</h2>
      </header>
      <div class="body">
        <Select label="Service" value={service} choose={setService} options={[["", "All"], ...SERVICES.map((each) => [each, each] as const)]} />
      </div>
      <Table
        caption="What admins did"
        rows={pages.rows}
        name={(row) => `${row.service}/${row.sequence}`}
        empty={pages.ready ? "Nothing so far" : "Loading"}
        columns={[
          { label: "Time", cell: (row) => moment(row.time), all: true },
          { label: "Service", cell: (row) => row.service },
          { label: "Did", cell: (row) => row.action },
          { label: "To", cell: (row) => row.target },
          { label: "Details", cell: (row) => details(row), all: true },
          { label: "Admin", cell: (row) => <span class="muted">{row.author}</span>, all: true },
        ]}
      />
      <More more={pages.more} />
    </section>
  );
}

function details(row: Action): string {
  return Object.entries(row.details)
    .filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => `${name} ${typeof value === "object" ? JSON.stringify(value) : String(value)}`)
    .join(", ");
}
