import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dispose, fromValues, memory, useDevice } from "@ai/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compareEncoders, encoderVariants } from "./comparison.js";
import { packagedReviews, readTsv, splitReviews, wordsOf } from "./reviews.js";

describe("encoder comparison", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "encoders-"));
    await useDevice("wasm");
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("reads reviews that are installed with it", async () => {
    const reviews = await packagedReviews();
    expect(reviews.length).toBe(3000);
    expect(reviews.filter(({ label }) => label === 1).length).toBe(1500);
    expect(reviews[0].label).toBe(0);
    const { train, test } = splitReviews(reviews);
    expect([train.length, test.length]).toEqual([2400, 600]);
    expect(wordsOf("It's GREAT, 10/10!")).toEqual(["it's", "great", ",", "10", "/", "10", "!"]);
  });

  it("reads lines of sentence and label, and names the one that is neither", async () => {
    const path = join(folder, "reviews.tsv");
    await writeFile(path, "sentence\tlabel\na fine film\t1\r\nno\t0\n");
    expect(await readTsv(path)).toEqual([
      { text: "a fine film", label: 1 },
      { text: "no", label: 0 },
    ]);
    await writeFile(path, "a fine film\t1\nno label\n");
    await expect(readTsv(path)).rejects.toThrow("line 2");
  });

  it("gives each review the same scores whatever padding is behind it", async () => {
    for (const { name, create, change } of encoderVariants({ vocabulary: 20, dim: 8, dropout: 0.5 })) {
      const model = await create!();
      change?.(model);
      model.eval();
      const score = async (ids: number[], rows: number): Promise<number[]> => {
        const input = fromValues(Int32Array.from(ids), [rows, ids.length / rows], "int32");
        const scores = model.call(input); // [rows, 2]
        const values = Array.from(await scores.data());
        dispose([input, scores]);
        return values.slice(0, 2);
      };
      const alone = await score([3, 7, 5], 1);
      const padded = await score([3, 7, 5, 0, 0, 2, 3, 4, 5, 6], 2);
      padded.forEach((value, index) => {
        expect(value, name).toBeCloseTo(alone[index], 5);
      });
      model.dispose();
    }
  });

  it("trains all four, writes table, picture and numbers, and goes on with what is finished", async () => {
    const reviews = Array.from({ length: 60 }, (_, index) => {
      const label = index % 2;
      const words = ["the", "film", index % 3 === 0 ? "was" : "is", label === 1 ? "wonderful" : "dreadful"];
      return { text: words.join(" "), label };
    });
    const lines: string[] = [];
    const options = {
      reviews: splitReviews(reviews),
      device: "wasm" as const,
      epochs: 6,
      seeds: [1],
      dim: 16,
      batchSize: 8,
      learningRate: 2e-2,
      folder,
      print: (text: string) => void lines.push(text),
    };
    const before = memory().numTensors;
    const { variants } = await compareEncoders(options);
    expect(memory().numTensors).toBe(before);
    expect(variants.map(({ name, runs }) => [name, runs[0].error, runs[0].values.accuracy])).toEqual([
      ["bag of embeddings", undefined, 1],
      ["bidirectional LSTM", undefined, 1],
      ["attention", undefined, 1],
      ["linear attention", undefined, 1],
    ]);
    expect(await readFile(join(folder, "table.md"), "utf8")).toContain("| linear attention | 1.0000 |");
    expect(await readFile(join(folder, "comparison.svg"), "utf8")).toContain("</svg>");
    const again = await compareEncoders(options);
    expect(again.variants).toEqual(variants);
    expect(lines.at(-2)).toContain("restored");
  });
});
