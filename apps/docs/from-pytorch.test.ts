import { readFile } from "node:fs/promises";
import * as layers from "@ai/layers";
import * as training from "@ai/layers/training";
import * as tensors from "@ai/tensor";
import { describe, expect, it } from "vitest";

/** Names of options, methods and members, which no package exports. */
const MEMBERS =
  "attentionMask averageFrom axes axis batches batchSampler collate decay etas get isCausal keepDims keyPaddingMask learningRate length lengths numHeads resumeFrom setValue stepSizes totalIterations".split(
    " ",
  );

describe("the page for PyTorch users", () => {
  it("names only what there is", async () => {
    const page = await readFile(new URL("from-pytorch.md", import.meta.url), "utf8");
    const cells = [...page.matchAll(/^\| .+? \| (.+) \|$/gm)].map(([, ours]) => ours);
    const code = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text));
    const names = code.flatMap((text) =>
      [...text.matchAll(/(?:^|\bnew |\bawait )([A-Za-z]\w*)(?=\(|$)/g)].map(([, name]) => name),
    );
    expect(names.length).toBeGreaterThan(100);
    const there = new Set([layers, training, tensors].flatMap((each) => Object.keys(each)));
    expect(names.filter((name) => !there.has(name) && !MEMBERS.includes(name))).toEqual([]);
  });
});
