// Facts of events and actions in one line: names and values, as people read them.

/** What is there of a record, by name; `hidden` names are left out. */
export function details(record: Readonly<Record<string, unknown>>, hidden: (name: string) => boolean = () => false): string {
  return Object.entries(record)
    .filter(([name, value]) => !hidden(name) && said(value) !== "")
    .map(([name, value]) => `${name} ${said(value)}`)
    .join(", ");
}

/** A list in its order, a change with an arrow, a record with its names; nothing for what is empty. */
function said(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(said).join("; ");
  if (typeof value !== "object") return String(value);
  const record = value as Record<string, unknown>;
  if (Object.keys(record).join() === "before,after") return `${said(record["before"]) || "none"} → ${said(record["after"]) || "none"}`;
  return `(${details(record)})`;
}
