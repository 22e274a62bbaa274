// The six services: how far each is behind, and what waits for it. Looked at every two seconds.

import { useEffect, useState } from "preact/hooks";
import { grouped } from "../money/format";
import { samples, vitals, type Vitals } from "./metrics";

const SECONDS = 2;

interface Seen {
  services: Vitals[];
  ready: boolean;
  halted: string[];
}

async function look(): Promise<Seen> {
  const [metrics, ready] = await Promise.all([fetch("/metrics"), fetch("/readyz")]);
  const said = (await ready.json()) as { ready: boolean; halted: string[] };
  return { services: vitals(samples(await metrics.text())), ...said };
}

export function Services() {
  const [seen, setSeen] = useState<Seen | null>(null);
  const [away, setAway] = useState(false);
  useEffect(() => {
    const refresh = () =>
      look().then(
        (found) => (setSeen(found), setAway(false)),
        () => setAway(true),
      );
    void refresh();
    const timer = setInterval(() => void refresh(), SECONDS * 1000);
    return () => clearInterval(timer);
  }, []);
  if (!seen) return <p class="empty">{away ? "The exchange does not answer" : "Loading"}</p>;
  return (
    <>
      {(away || !seen.ready || seen.halted.length > 0) && (
        <p class="banner" role="alert">
          {away ? "The exchange does not answer: these are the last figures" : seen.halted.join(", ") || "The exchange is not ready"}
        </p>
      )}
      <div class="services">
        {seen.services.map((service) => (
          <Service key={service.name} service={service} state={away ? "Unknown" : seen.halted.some((each) => each.startsWith(service.name)) ? "Halted" : "Working"} />
        ))}
      </div>
    </>
  );
}

const TONE = { Working: "tag good end", Halted: "tag bad end", Unknown: "tag warn end" } as const;

function Service({ service, state }: { service: Vitals; state: keyof typeof TONE }) {
  const behind = service.lag.reduce((most, [, events]) => Math.max(most, events), 0);
  return (
    <section class="panel" aria-label={service.name}>
      <header>
        <h2>{service.name}</h2>
        <span class={TONE[state]}>{state}</span>
      </header>
      <dl class="facts body">
        <dt>Events in its log</dt>
        <dd>{service.name === "notifications" ? "publishes none" : grouped(String(service.events))}</dd>
        <dt>Behind by events</dt>
        <dd>{service.lag.length ? grouped(String(behind)) : "follows nobody"}</dd>
        {service.lag
          .filter(([, events]) => events > 0)
          .map(([source, events]) => (
            <>
              <dt>of {source}</dt>
              <dd>{grouped(String(events))}</dd>
            </>
          ))}
        <dt>Requests in its queue</dt>
        <dd>{grouped(String(service.waiting))}</dd>
        <dt>Mean commit</dt>
        <dd>{service.commit === null ? "–" : `${service.commit.toFixed(2)} ms`}</dd>
        <dt>Events given up on</dt>
        <dd class={service.setAside ? "sell" : undefined}>{grouped(String(service.setAside))}</dd>
      </dl>
    </section>
  );
}
