// Prometheus' text format, as far as it is needed: samples with their labels.

export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

const LINE = /^([a-z_]+)(?:\{(.*)\})? ([0-9.e+-]+)$/i;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

export function samples(text: string): Sample[] {
  return text.split("\n").flatMap((line) => {
    const found = LINE.exec(line);
    if (!found) return [];
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map((each) => [each[1]!, each[2]!]));
    return [{ name: found[1]!, labels, value: Number(found[3]) }];
  });
}

export interface Vitals {
  name: string;
  /** Events in its log. */
  events: number;
  /** Requests that wait for it. */
  waiting: number;
  /** Events that it has not applied, of each source that it follows. */
  lag: readonly (readonly [source: string, events: number])[];
  /** Mean time of a commit, in milliseconds; null before the first. */
  commit: number | null;
  /** Events that it gave up on. */
  setAside: number;
}

export const SERVICES = ["users", "orders", "trades", "wallets", "portfolios", "notifications"] as const;

/** How each service does. */
export function vitals(found: readonly Sample[]): Vitals[] {
  const of = (name: string, service: string) =>
    found.find((sample) => sample.name === name && sample.labels["service"] === service)?.value ?? 0;
  return SERVICES.map((name) => {
    const commits = of("borsa_commit_seconds_count", name);
    return {
      name,
      events: of("borsa_log_sequence", name),
      waiting: of("borsa_inbox_items", name),
      lag: found
        .filter((sample) => sample.name === "borsa_lag_events" && sample.labels["service"] === name)
        .map((sample) => [sample.labels["source"]!, sample.value] as const),
      commit: commits ? (of("borsa_commit_seconds_sum", name) / commits) * 1000 : null,
      setAside: of("borsa_dead_letters_total", name),
    };
  });
}
