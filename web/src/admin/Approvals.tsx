// Adjustments above the day's cap wait here for a second admin.

import { useState } from "preact/hooks";
import { call } from "../api/http";
import { user } from "../api/session";
import type { Approval } from "../api/types";
import { signed } from "../money/format";
import { moment } from "../money/time";
import { More } from "../parts/More";
import { notify } from "../parts/notices";
import { usePages } from "../parts/pages";
import { Reason } from "../parts/Reason";
import { Table, Two } from "../parts/Table";
import { label } from "../trade/words";
import { ownerName, userName } from "./names";

type Verdict = "approve" | "reject";
const TONE: Record<Approval["status"], string> = { pending: "tag warn", approved: "tag good", rejected: "tag bad", expired: "tag" };

function Decided({ row }: { row: Approval }) {
  const tag = <span class={TONE[row.status]}>{label(row.status)}</span>;
  if (!row.decidedBy) return tag;
  return <Two first={tag} second={`${row.verdict ?? ""}, by ${userName(row.decidedBy)}`} />;
}

export function Approvals() {
  const pages = usePages<Approval>("/api/wallets/approvals");
  const [judged, setJudged] = useState<[Approval, Verdict] | null>(null);
  const decide = async (approval: Approval, verdict: Verdict, reason: string) => {
    await call<Approval>("POST", `/api/wallets/approvals/${approval.approvalId}/${verdict}`, { body: { reason } });
    notify("good", verdict === "approve" ? "Approved and posted" : "Rejected");
    pages.again();
  };
  return (
    <section class="panel">
      <header>
        <h2>Adjustments that need a second admin</h2>
      </header>
      <Table
        caption="Adjustments"
        rows={pages.rows}
        name={(row) => row.approvalId}
        empty={pages.ready ? "None so far. Adjustments are made at a user; those above the day's cap wait here." : "Loading"}
        columns={[
          { label: "Asked", cell: (row) => <Two first={moment(row.askedAt)} second={`by ${userName(row.author)}`} />, all: true },
          { label: "Amount", numeric: true, all: true, cell: (row) => <Two first={`${signed(row.asset, row.delta)} ${row.asset}`} second={`to ${ownerName(row.walletId)}`} /> },
          { label: "Reason", cell: (row) => row.reason, long: true },
          { label: "Status", cell: (row) => <Decided row={row} />, long: true },
          {
            label: "Deeds",
            deeds: true,
            cell: (row) =>
              row.status === "pending" &&
              (row.author === user.value?.userId ? (
                <span class="muted">Another admin decides</span>
              ) : (
                <div class="row">
                  <button type="button" class="button small" onClick={() => setJudged([row, "approve"])}>
                    Approve
                  </button>
                  <button type="button" class="button small" onClick={() => setJudged([row, "reject"])}>
                    Reject
                  </button>
                </div>
              )),
          },
        ]}
      />
      <More more={pages.more} />
      {judged && (
        <Reason
          title={judged[1] === "approve" ? "Approve the adjustment" : "Reject the adjustment"}
          verb={label(judged[1])}
          said={`${signed(judged[0].asset, judged[0].delta)} ${judged[0].asset} to ${ownerName(judged[0].walletId)}, asked by ${userName(judged[0].author)}: ${judged[0].reason}`}
          close={() => setJudged(null)}
          deed={(reason) => decide(...judged, reason)}
        />
      )}
    </section>
  );
}
