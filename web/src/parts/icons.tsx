// The few icons, drawn in one weight.

import type { ComponentChildren } from "preact";

const drawn = (children: ComponentChildren) => (
  <svg viewBox="0 0 18 18" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
    {children}
  </svg>
);

export const Bell = () => drawn(<path d="M4 12.5c1-1 1.2-2 1.2-4.3a3.8 3.8 0 0 1 7.6 0c0 2.3.2 3.3 1.2 4.3zM7.6 15.2h2.8" />);
export const Sun = () =>
  drawn(
    <>
      <circle cx="9" cy="9" r="3" />
      <path d="M9 1.8v1.6M9 14.6v1.6M1.8 9h1.6M14.6 9h1.6M3.9 3.9 5 5M13 13l1.1 1.1M3.9 14.1 5 13M13 5l1.1-1.1" />
    </>,
  );
export const Moon = () => drawn(<path d="M15 10.7A6.3 6.3 0 1 1 7.3 3a5 5 0 0 0 7.7 7.7z" />);
export const Close = () => drawn(<path d="m4.5 4.5 9 9m0-9-9 9" />);
export const Done = () => drawn(<path d="m4 9.5 3.5 3.5L14 5.5" />);
export const Down = () => drawn(<path d="m5 7.5 4 4 4-4" />);
