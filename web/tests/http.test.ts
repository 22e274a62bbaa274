import { expect, test } from "vitest";
import { Problem } from "../src/api/http";

test("only a refusal is definite: where nobody answered, or was not done yet, the order may be there", () => {
  const definite = (status: number, code: string) => new Problem(status, code, "").definite;
  expect([definite(422, "insufficient_funds"), definite(409, "market_halted"), definite(429, "too_many_requests")]).toEqual([true, true, true]);
  expect([definite(0, "unreachable"), definite(504, "no_answer"), definite(500, "internal_error")]).toEqual([false, false, false]);
  expect(definite(409, "order_in_progress")).toBe(false);
});
