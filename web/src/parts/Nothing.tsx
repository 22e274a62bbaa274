// The view of an address that leads nowhere.

import { link } from "./router";

export function Nothing({ title }: { title: string }) {
  return (
    <main id="main" class="view">
      <div class="empty">
        <h1>{title}</h1>
        <p>The link may be old, or mistyped.</p>
        <a class="button" href={link("trade")}>
          To the markets
        </a>
      </div>
    </main>
  );
}
