import { describe, expect, it } from "vitest";
import { sameResult } from "./measure-group.mjs";
import { median, quantile, toRow } from "./statistics.mjs";

describe("statistics", () => {
  it("interpolates quantiles", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(quantile([0, 10], 0.25)).toBe(2.5);
  });

  it("gives a ratio above 1 when we are faster, from rounds measured back to back", () => {
    const about = { workload: "gemm", device: "wasm", threads: 1, peer: "other" };
    const row = toRow(about, [1, 2, 4], [3, 6, 12]);
    expect(row).toEqual({ ...about, ours: 2, theirs: 6, unit: "ms", ratio: 3, spread: 0 });
    expect(toRow(about, [2, 2, 2], [1, 1, 2]).ratio).toBe(0.5);
    expect(toRow(about, [2, 2, 2], [1, 2, 3]).spread).toBe(0.5);
  });
});

describe("sameResult", () => {
  const result = { sum: 100, sample: 2, scale: 1 };
  it("accepts float32 noise and refuses another result", () => {
    expect(sameResult(result, { sum: 100.05, sample: 2.0001, scale: 1 })).toBe(true);
    expect(sameResult(result, { sum: 100, sample: 2.1, scale: 1 })).toBe(false);
    expect(sameResult(result, { sum: 90, sample: 2, scale: 1 })).toBe(false);
  });
});
