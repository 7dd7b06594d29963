import { dispose, memory, noGrad, read, slice, sum, type Tensor, tensor, useDevice } from "@ai/tensor";
import { expectNoLeak } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import * as layers from "../index.js";
import {
  attentionMaps,
  attentionRollout,
  type Explanation,
  gradCam,
  integratedGradients,
  occlusion,
  smoothGrad,
} from "../index.js";
import { imageParts, textParts } from "../testing/explain-models.js";

describe("explanations behave", () => {
  beforeAll(() => useDevice("cpu"));

  it("leak nothing, leave the modes, change no result and give plain values", async () => {
    const { model, images, free } = await imageParts();
    const text = await textParts();
    model.train();
    const { otherInputs } = text;
    const results: unknown[] = [];
    await expectNoLeak(async () => {
      results.push(
        await gradCam(model, images, { layer: model.namedModules()[5][1] }),
        await integratedGradients(model, images, { steps: 2, perPosition: true }),
        await smoothGrad(model, images, { samples: 2, layer: "0", perPosition: true }),
        await occlusion(model, images, { window: [4, 6], stride: 4 }),
        await integratedGradients(text.model, text.ids, {
          steps: 2,
          layer: "embedding",
          layerBaseline: 0,
          otherInputs,
        }),
        await attentionMaps(text.model, text.ids, { otherInputs, heads: "mean" }),
        await attentionRollout(text.model, text.ids, { otherInputs, layers: ["encoder.layers.1.self_attn"] }),
      );
    });
    expect(structuredClone(results)).toEqual(results);
    expect(results.slice(1, 5).map((result) => (result as Explanation).shape)).toEqual([
      [6, 12, 12],
      [6, 12, 12],
      [6, 12, 12],
      [3, 6, 8],
    ]);
    expect(model.namedModules().every(([, module]) => module.training)).toBe(true);
    text.free();
    free();
  });

  it("take a function as target and run over each other", async () => {
    const { model, images, free } = await imageParts();
    const target = (output: Tensor): Tensor => slice(output, [0, 1], [output.shape[0], 1]);
    const [byFunction, byClass] = await Promise.all([
      integratedGradients(model, images, { target, steps: 4, batchSize: 5 }),
      integratedGradients(model, images, { target: 1, steps: 4, batchSize: 3 }),
    ]);
    byFunction.values.forEach((value, at) => {
      expect(value).toBeCloseTo(byClass.values[at], 5);
    });
    expect(byFunction.classes).toBeUndefined();
    free();
  });

  it("stop when they are told to, and say how far they are", async () => {
    const { model, images, free } = await imageParts();
    const text = await textParts();
    const before = memory().numTensors;
    const done: number[] = [];
    const runs: ((options: {
      signal: AbortSignal;
      onProgress: () => void;
      batchSize: number;
    }) => Promise<unknown>)[] = [
      (options) => gradCam(model, images, { layer: "4", ...options }),
      (options) => integratedGradients(model, images, options),
      (options) => smoothGrad(model, images, options),
      (options) => occlusion(model, images, options),
      (options) => attentionMaps(text.model, text.ids, { otherInputs: text.otherInputs, ...options }),
      (options) => attentionRollout(text.model, text.ids, { otherInputs: text.otherInputs, ...options }),
    ];
    for (const run of runs) {
      const controller = new AbortController();
      const onProgress = (): void => controller.abort(new Error("enough"));
      await expect(run({ signal: controller.signal, onProgress, batchSize: 2 })).rejects.toThrow("enough");
    }
    await occlusion(model, images, {
      window: 6,
      stride: 6,
      batchSize: 10,
      onProgress: (progress) => {
        expect(progress.total).toBe(24);
        done.push(progress.done);
      },
    });
    expect(done).toEqual([10, 20, 24]);
    expect(memory().numTensors).toBe(before);
    text.free();
    free();
  });

  it("refuse what does not fit, by their own errors", async () => {
    const { model, images, free } = await imageParts();
    const text = await textParts();
    const { otherInputs } = text;
    const before = memory().numTensors;
    const refused: [Promise<unknown>, RegExp][] = [
      [gradCam(model, images, { layer: "5x" }), /gradCam: expected a layer of the model, got "5x"; /],
      [gradCam(model, images, { layer: new layers.ReLU() }), /got a module that is not in it/],
      [
        gradCam(model, images, { layer: "7" }),
        /expected a layer that gives \[6, ...positions, channels\], got \[6, 2\]/,
      ],
      [gradCam(model, images, { layer: "4", target: 2 }), /expected a target below the 2 classes, got 2/],
      [gradCam(model, images, { layer: "4", target: [0] }), /a target for each of 6 samples, got 1/],
      [gradCam(model, images, { layer: "4", colour: true } as never), /got one named colour/],
      [integratedGradients(model, images, { target: (output) => sum(output) }), /float32 tensor \[6\]/],
      [integratedGradients(model, images, { baseline: images.shape as never }), /as baseline, got object/],
      [integratedGradients(model, images, { layerBaseline: 0 }), /expected layerBaseline with a layer/],
      [integratedGradients(model, images, { steps: 0 }), /integer steps of at least 1/],
      [integratedGradients(model, images, { rule: "simpson" as never }), /expected rule "gauss-legendre" or/],
      [integratedGradients(text.model, text.ids, { otherInputs }), /name the layer that embeds it/],
      [
        integratedGradients(text.model, text.ids, { otherInputs, layer: "encoder.layers.0.self_attn" }),
        /called once and gives one tensor, got one that gives something else/,
      ],
      [smoothGrad(model, images, { noise: -1 }), /noise of at least 0/],
      [occlusion(model, images, { window: 13 }), /expected a window within \[12, 12\]/],
      [occlusion(model, images, { window: 2, stride: 3 }), /a stride of at most the window/],
      [attentionMaps(model, images), /expected a model with attention/],
      [attentionMaps(text.model, text.ids, { otherInputs, layers: ["encoder"] }), /got "encoder"; /],
      [
        attentionRollout(text.model, text.ids, { otherInputs, headFusion: "sum" as never }),
        /headFusion "mean" or/,
      ],
      [gradCam(model, images, {} as never), /a layer of the model, got undefined; name one of 0, 1, /],
      [occlusion(model, [1] as never), /expected a tensor as input/],
      [occlusion({} as never, images), /expected a module as model/],
    ];
    for (const [promise, message] of refused) await expect(promise).rejects.toThrow(message);
    expect(memory().numTensors).toBe(before);
    text.free();
    free();
  });

  it("attention is observed without changing it, in grouped queries and with asked weights too", async () => {
    const grouped = new layers.GroupedQueryAttention(8, 4, { numKeyValueHeads: 2 });
    const x = tensor(
      Float32Array.from({ length: 2 * 3 * 8 }, (_, at) => Math.sin(at)),
      [2, 3, 8],
    );
    const [map] = await attentionMaps(grouped, x);
    expect(map).toMatchObject({ path: "", shape: [2, 4, 3, 3] });
    for (let row = 0; row < map.values.length; row += 3)
      expect(map.values.slice(row, row + 3).reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(map.values[1]).toBe(0); // causal
    const plain = new layers.MultiheadAttention(8, 2).eval();
    const given = noGrad(() => plain.call(x, x, x, { weights: "heads" }));
    const [seen] = await attentionMaps(plain, x, { otherInputs: [x, x] });
    const [asked] = await attentionMaps(plain, x, { otherInputs: [x, x, { weights: "heads" }] });
    const weights = await read(given.weights as Tensor);
    for (const { values } of [seen, asked])
      values.forEach((value, at) => {
        expect(value).toBeCloseTo(weights[at], 5);
      });
    dispose([x, given.output, given.weights as Tensor]);
    grouped.dispose();
    plain.dispose();
  });
});
