import { manualSeed, memory, useDevice } from "@ai/tensor";
import { beforeAll, describe, expect, it } from "vitest";
import { RECIPES } from "./recipes.js";
import { formatTable, type Row } from "./table.js";

async function run(name: string, epochs = 1): Promise<{ rows: Row[]; lines: string[] }> {
  manualSeed(1);
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(line);
  const before = memory().numTensors;
  const rows = await RECIPES[name]({ images: 256, testImages: 100, epochs, print });
  expect(memory().numTensors).toBe(before);
  lines.push(formatTable(rows));
  return { rows, lines };
}

const column = (rows: readonly Row[], name: string): number[] => rows.map((row) => Number(row[name]));
const share = (row: Row): number => Number.parseFloat(String(row.accuracy)) / 100;

describe("recipes", () => {
  beforeAll(() => useDevice("wasm"));

  it("LoRA trains and stores a fraction of the numbers", async () => {
    const { rows } = await run("lora");
    expect(rows.map(({ name }) => name)).toEqual(["before", "all weights", "LoRA", "DoRA"]);
    const [, all, adapters, dora] = column(rows, "trained numbers");
    expect(adapters).toBeLessThan(all / 5);
    expect(dora - adapters).toBe(12 + 24 + 64 + 10);
    const bytes = column(rows, "file bytes");
    expect(bytes[2]).toBeLessThan(bytes[1] / 3);
  });

  it("distillation gives a student of the same size", async () => {
    const { rows } = await run("distillation", 3);
    const [teacher, ...students] = column(rows, "bytes");
    expect(students).toEqual([students[0], students[0], students[0]]);
    expect(students[0]).toBeLessThan(teacher);
    // ten digits: guessing gives 0.1
    for (const row of rows) expect(share(row)).toBeGreaterThan(0.15);
  });

  it("pruning keeps its zeros in training and removes channels", async () => {
    const { rows, lines } = await run("pruning");
    const [numbers, live] = [column(rows, "numbers"), column(rows, "not 0")];
    expect(live[1]).toBeLessThan(0.13 * numbers[0]);
    expect(live[2]).toBe(live[1]);
    expect(numbers[3]).toBeLessThan(numbers[0] / 2);
    const bytes = column(rows, "file bytes");
    expect(bytes[1]).toBe(bytes[0]);
    expect(bytes[3]).toBeLessThan(bytes[0] / 2);
    expect(lines[0]).toMatch(/zeros: .* of /);
  });

  it("quantization shrinks the file and keeps the answers", async () => {
    const { rows, lines } = await run("quantization");
    const bytes = column(rows, "file bytes");
    expect(bytes[0] / bytes[1]).toBeGreaterThan(3.8);
    expect(bytes[0] / bytes[2]).toBeGreaterThan(6.8);
    expect(Math.abs(share(rows[1]) - share(rows[0]))).toBeLessThanOrEqual(0.02);
    expect(lines[0]).toContain("output error");
  });

  it("half precision halves the file and keeps the answers", async () => {
    const { rows } = await run("half-precision");
    const bytes = column(rows, "file bytes");
    expect(bytes[0] / bytes[1]).toBeGreaterThan(1.99);
    expect(Math.abs(share(rows[1]) - share(rows[0]))).toBeLessThanOrEqual(0.02);
  });

  it("checkpointing keeps less and learns the same", async () => {
    const { rows } = await run("checkpointing");
    const [kept, less] = column(rows, "bytes for the backward pass");
    expect(less).toBeLessThan(kept / 3);
    expect(Math.abs(share(rows[1]) - share(rows[0]))).toBeLessThanOrEqual(0.02);
  });
});
