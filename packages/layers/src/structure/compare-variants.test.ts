import { add, InputError, memory, relu, type Tensor } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { Dropout, LayerNorm, Linear, Module, RMSNorm, replaceModules } from "../index.js";
import {
  type CompareVariantsOptions,
  compareVariants,
  DataLoader,
  formatComparison,
  MeanAbsoluteError,
  memoryStorage,
  mseLoss,
  overSeeds,
  plotComparison,
  SGD,
  TensorDataset,
  type VariantProgress,
} from "../training/index.js";

class Net extends Module<[x: Tensor], Tensor> {
  readonly first = new Linear(2, 8);
  readonly norm = new LayerNorm(8);
  readonly dropout = new Dropout(0.1);
  readonly second = new Linear(8, 1);
  protected override forward(x: Tensor): Tensor {
    return this.second.call(this.dropout.call(relu(this.norm.call(this.first.call(x)))));
  }
}

class Broken extends Net {
  protected override forward(x: Tensor): Tensor {
    return add(super.forward(x), this.second.call(x));
  }
}

const COUNT = 32;
const inputs = Float32Array.from({ length: 2 * COUNT }, (_, index) => Math.sin(index * 1.7));
const targets = Float32Array.from(
  { length: COUNT },
  (_, row) => inputs[2 * row] * inputs[2 * row + 1] + inputs[2 * row],
);
const dataset = (): TensorDataset =>
  new TensorDataset([
    { values: inputs, shape: [COUNT, 2], dtype: "float32" },
    { values: targets, shape: [COUNT, 1], dtype: "float32" },
  ]);

type Options = CompareVariantsOptions<readonly Tensor[], Net>;

const options: Options = {
  base: () => new Net(),
  seeds: [1, 2],
  epochs: 3,
  setup: (model, seed) => ({
    data: new DataLoader<unknown, readonly Tensor[]>(dataset(), { batchSize: 8, shuffle: true, seed }),
    validation: new DataLoader<unknown, readonly Tensor[]>(dataset(), { batchSize: 16 }),
    trainer: {
      optimizer: new SGD(model.parameters(), { learningRate: 0.05, momentum: 0.9 }),
      loss: mseLoss,
      metrics: { error: new MeanAbsoluteError() },
    },
  }),
};

const useRmsNorm = async (model: Net) => {
  await Promise.resolve(); // a change that takes its time is waited for
  replaceModules<LayerNorm>(
    model,
    (module) => module instanceof LayerNorm,
    (old) => new RMSNorm(old.normalizedShape[0]),
  );
};
const variants = [
  { name: "layer norm" },
  { name: "rms norm", change: useRmsNorm },
  { name: "broken | 2", create: () => new Broken() },
];

/** What does not depend on the clock. */
const lasting = (comparison: Awaited<ReturnType<typeof compareVariants>>) =>
  comparison.variants.map(({ runs, ...variant }) => ({
    ...variant,
    runs: runs.map(({ values, losses, error, steps }) => ({ values, losses, error, steps })),
  }));

describeEachDevice("compareVariants", () => {
  it("trains each on the same data and seeds, reports a failure and leaves nothing", async () => {
    const before = memory().numTensors;
    const events: VariantProgress[] = [];
    const comparison = await compareVariants(variants, {
      ...options,
      onProgress: (event) => events.push(event),
    });
    expect(memory().numTensors).toBe(before);
    const [layer, rms, broken] = comparison.variants;
    expect([layer.parameters, rms.parameters]).toEqual([2 * 8 + 8 + 16 + 9, 2 * 8 + 8 + 8 + 9]);
    expect(layer.multiplyAddsPerSample).toBe(2 * 8 + 8);
    expect(layer.runs.map(({ seed, steps }) => [seed, steps])).toEqual([
      [1, 12],
      [2, 12],
    ]);
    for (const { curve, losses, values, peakBytes, trainSeconds, secondsPerSample } of layer.runs) {
      expect(losses.length).toBe(12);
      expect(curve.map(({ step }) => step)).toEqual([4, 8, 12]);
      expect(values.loss).toBe(curve[2].values["validation.loss"]);
      expect(curve[2].values.loss).toBeLessThan(curve[0].values.loss);
      expect(values.error).toBeGreaterThan(0);
      expect(peakBytes).toBeGreaterThan(layer.parameters * 4 * 2);
      expect(trainSeconds).toBeGreaterThan(0);
      expect(secondsPerSample).toBeGreaterThan(0);
    }
    expect(layer.runs[0].losses).not.toEqual(layer.runs[1].losses);
    expect(broken.runs.map(({ error }) => error)).toEqual([
      expect.stringContaining("[..., 8]"),
      expect.stringContaining("[..., 8]"),
    ]);
    expect(events.filter(({ phase }) => phase !== "training").map(({ phase }) => phase)).toEqual([
      ...Array(4).fill("finished"),
      ...Array(2).fill("failed"),
    ]);
    expect(events.filter(({ phase, run }) => phase === "training" && run === 0).length).toBe(12);

    const text = formatComparison(comparison);
    expect(text).toContain("broken | 2, seed 1: failed after 0 steps");
    expect(text.split("\n")[0]).toMatch(/^variant +error +loss +parameters/);
    const markdown = formatComparison(comparison, { format: "markdown" });
    expect(markdown).toContain("| broken \\| 2 | failed |");
    const { mean, standardDeviation } = overSeeds(layer, ({ values }) => values.loss)!;
    expect(markdown).toContain(`${mean.toFixed(4)} ± ${standardDeviation.toFixed(4)}`);
    const svg = plotComparison(comparison, { title: "a < b" });
    expect(svg).toContain("a &lt; b");
    expect(svg.match(/<polyline/g)!.length).toBe(2);
    expect(svg.match(/<circle/g)!.length).toBe(4);
    expect(svg).not.toContain("NaN");
  });

  it("gives the same numbers again, alone or among others", async () => {
    const alone = await compareVariants([variants[1]], { ...options, maxSteps: 5 });
    const among = await compareVariants(variants.slice(0, 2), { ...options, maxSteps: 5 });
    expect(lasting(alone)[0]).toEqual(lasting(among)[1]);
    expect(alone.variants[0].runs[0].steps).toBe(5);
  });
});

describeEachDevice("compareVariants in a folder", () => {
  it("stops at an abort, frees everything and goes on where it was", async () => {
    const storage = memoryStorage();
    const kept = { ...options, folder: "comparison", checkpointSteps: 2, storage };
    const controller = new AbortController();
    const before = memory().numTensors;
    const stopping = compareVariants(variants.slice(0, 2), {
      ...kept,
      signal: controller.signal,
      onProgress: ({ run, step }) => {
        if (run === 2 && step === 6) controller.abort(new Error("enough"));
      },
    });
    await expect(stopping).rejects.toThrow("enough");
    expect(memory().numTensors).toBe(before);
    const events: VariantProgress[] = [];
    const resumed = await compareVariants(variants.slice(0, 2), {
      ...kept,
      onProgress: (event) => events.push(event),
    });
    expect(events.slice(0, 2).map(({ phase }) => phase)).toEqual(["restored", "restored"]);
    expect(events[2].step).toBeGreaterThan(1);
    expect(lasting(resumed)).toEqual(lasting(await compareVariants(variants.slice(0, 2), options)));
    await expect(compareVariants([variants[2]], kept)).rejects.toThrow(InputError);
  });

  it("refuses arguments out of range", async () => {
    const bad: [Parameters<typeof compareVariants<readonly Tensor[], Net>>[0], Partial<Options>][] = [
      [[], {}],
      [[{ name: "" }], {}],
      [[{ name: "a" }, { name: "a" }], {}],
      [[{ name: "a" }], { base: undefined }],
      [[{ name: "a" }], { epochs: undefined }],
      [[{ name: "a" }], { epochs: 1.5 }],
      [[{ name: "a" }], { maxSeconds: 0 }],
      [[{ name: "a" }], { seeds: [] }],
      [[{ name: "a" }], { seeds: [1, 1] }],
      [[{ name: "a" }], { storage: memoryStorage() }],
      [[{ name: "a" }], { steps: 4 } as Partial<Options>],
    ];
    for (const [list, changed] of bad)
      await expect(compareVariants(list, { ...options, ...changed })).rejects.toThrow(InputError);
    const comparison = { device: "cpu", threads: 1, variants: [] };
    expect(() => formatComparison(comparison, { format: "html" as "text" })).toThrow(InputError);
    expect(() => plotComparison(comparison, { metric: "accuracy" })).toThrow(InputError);
  });
});
