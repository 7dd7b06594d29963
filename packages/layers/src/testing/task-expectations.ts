import { isAiError } from "@ai/tensor";
import { expect } from "vitest";
import type { TaskProgress } from "../tasks/index.js";

/** What a promise rejects with. @throws when it is fulfilled. */
export async function failureOf(promise: Promise<unknown>): Promise<Error> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error(`expected a rejection, got ${JSON.stringify(value)?.slice(0, 200)}`);
}

/** An `InputError` whose message says what was expected and what came. */
export function expectSentence(error: Error): void {
  expect(error).toMatchObject({
    name: "InputError",
    message: expect.stringMatching(/^\S.*: expected .+, got .+/),
  });
  expect(isAiError(error)).toBe(true);
}

/** Plain JSON: a structured clone and a way through text leave it as it is. */
export function expectPlain(value: unknown): void {
  expect(structuredClone(value)).toEqual(value);
  expect(JSON.parse(JSON.stringify(value))).toEqual(value);
}

/** Equal but for numbers, which may differ by `tolerance` of the larger one or of 1e-3. */
export function expectClose(actual: unknown, expected: unknown, tolerance: number): void {
  const compare = (a: unknown, b: unknown, path: string): void => {
    if (typeof a === "number" && typeof b === "number") {
      const bound = tolerance * Math.max(Math.abs(a), Math.abs(b), 1e-3);
      if (!(Math.abs(a - b) <= bound)) expect.fail(`${path}: expected ${b}, got ${a}`);
    } else if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) {
      expect(Object.keys(a), path).toEqual(Object.keys(b));
      for (const key of Object.keys(a))
        compare((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key], `${path}.${key}`);
    } else expect(a, path).toEqual(b);
  };
  compare(actual, expected, "answer");
}

/** Each phase (of each file) goes forward, and no further than its total. */
export function expectMonotone(told: readonly TaskProgress[]): void {
  const last = new Map<string, number>();
  for (const progress of told) {
    const key = `${progress.phase} ${progress.file ?? ""}`;
    expect(progress.done, key).toBeGreaterThanOrEqual(last.get(key) ?? 0);
    if (progress.total !== undefined) expect(progress.done, key).toBeLessThanOrEqual(progress.total);
    expect(progress.message, key).toMatch(/\S/);
    last.set(key, progress.done);
  }
}
