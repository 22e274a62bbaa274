import { defineConfig } from "vitest/config";

// the exchange that the development server speaks to
const exchange = process.env["EXCHANGE"] ?? "http://127.0.0.1:8000";

export default defineConfig({
  base: "/",
  build: {
    outDir: "../src/borsa/web/built",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: {
    proxy: {
      "/api": exchange,
      "/metrics": exchange,
      "/readyz": exchange,
      "/healthz": exchange,
      "/ws": { target: exchange, ws: true },
    },
  },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
