import { describe, expect, it } from "vitest";
import { channelsFirst, filterOutFirst } from "./engines/onnxruntime.mjs";
import { sameResult } from "./harness/measure-group.mjs";
import { GROUPS } from "./workloads/index.mjs";
import { writeVisionFiles } from "./workloads/vision-files.mjs";

/** Small enough for every engine to do in a moment; sizes differ so that a swapped axis shows. */
const CONV = {
  name: "conv",
  kind: "conv",
  batch: 2,
  size: 5,
  channels: 3,
  filters: 4,
  kernel: 3,
  stride: 2,
  padding: 1,
};
const GEMM = { name: "gemm", kind: "gemm", batch: 2, m: 3, k: 4, n: 5 };

async function resultOf(name: string, workload: object) {
  const engine = await import(`./engines/${name}.mjs`);
  await engine.start("cpu");
  const prepared = await engine.prepare(workload);
  const result = await prepared.run(true);
  await prepared.dispose?.();
  return result;
}

describe("engines", () => {
  it.each([CONV, GEMM])("compute the same $name", async (workload) => {
    const expected = await resultOf("ai", workload);
    for (const name of ["tfjs-cpu", "onnxruntime-node"]) {
      const { sum, sample } = await resultOf(name, workload);
      expect(sum).toBeCloseTo(expected.sum, 4);
      expect(sample).toBeCloseTo(expected.sample, 5);
    }
  });

  it("train alike: the loss of the second step agrees", async () => {
    const workload = { kind: "train-cnn", batch: 2, learningRate: 0.01 };
    const [ours, theirs] = [await resultOf("ai", workload), await resultOf("tfjs-cpu", workload)];
    expect(ours.sum).toBeCloseTo(theirs.sum, 4);
  });
});

describe("vision workloads", () => {
  it("have the same weights and preprocessing for us and for Transformers.js", async () => {
    const { folder, remove } = await writeVisionFiles(["cifar10-small", "tiny"]);
    try {
      const workloads = GROUPS.vision.filter(({ model }) => model === "cifar10-small");
      expect(workloads).toHaveLength(4);
      for (const workload of workloads) {
        const given = { ...workload, folder };
        const ours = await resultOf("ai", given);
        expect(sameResult(ours, await resultOf("transformers-js-native", given))).toBe(true);
      }
    } finally {
      await remove();
    }
  });

  it("count another best class as another result", () => {
    const classes = ["a", "b"];
    expect(sameResult({ best: "a", classes }, { best: "a", classes })).toBe(true);
    expect(sameResult({ best: "a", classes }, { best: "b", classes })).toBe(false);
    expect(sameResult({ best: "a", classes }, { best: "a", classes: ["a", "c"] })).toBe(false);
  });
});

describe("layouts for ONNX", () => {
  it("moves channels first and filters out first", () => {
    expect([...channelsFirst(Float32Array.of(0, 10, 1, 11, 2, 12), 1, 3, 2)]).toEqual([0, 1, 2, 10, 11, 12]);
    expect([...filterOutFirst(Float32Array.of(0, 1, 2, 3, 4, 5, 6, 7), 2, 2, 2)]).toEqual([
      0, 4, 2, 6, 1, 5, 3, 7,
    ]);
  });
});
