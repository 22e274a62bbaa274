// Dark or light: the system's until one is chosen. (public/theme.js sets it before the first paint.)

import { signal } from "@preact/signals";

export type Theme = "dark" | "light";

export const theme = signal<Theme>(document.documentElement.dataset["theme"] === "light" ? "light" : "dark");

export function toggleTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  document.documentElement.dataset["theme"] = theme.value;
  localStorage.setItem("borsa.theme", theme.value);
}

matchMedia("(prefers-color-scheme: light)").addEventListener("change", (event) => {
  if (localStorage.getItem("borsa.theme")) return;
  theme.value = event.matches ? "light" : "dark";
  document.documentElement.dataset["theme"] = theme.value;
});
