import {
  cast,
  dispose,
  mean,
  memory,
  mul,
  noGrad,
  read,
  slice,
  sum,
  type Tensor,
  tensor,
  useDevice,
} from "@ai/tensor";
import { describeEachDevice, expectNoLeak, type Fixture } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import * as layers from "../index.js";
import {
  attentionMaps,
  attentionRollout,
  type Explanation,
  gradCam,
  integratedGradients,
  occlusion,
  rollOutAttention,
  smoothGrad,
} from "../index.js";
import { loadLayerFixture, storedState } from "../testing/layer-cases.js";

/** The image classifier of tooling/fixtures/layers/explain.py, with the weights trained there. */
function imageModel(fixture: Fixture): layers.Sequential {
  const model = new layers.Sequential(
    new layers.Conv2d(1, 4, 3, { padding: 1 }),
    new layers.ReLU(),
    new layers.MaxPool2d(2, { stride: 1, padding: 1 }),
    new layers.Conv2d(4, 6, 3, { stride: 2, padding: 1 }),
    new layers.ReLU(),
    new layers.AdaptiveAvgPool2d(1),
    new layers.Flatten(),
    new layers.Linear(6, 2),
  );
  model.loadStateDict(storedState(fixture, "image"));
  return model;
}

/** The encoder of token ids of the same file. */
class TextModel extends layers.Module<[ids: Tensor, masks: layers.AttentionMasks], Tensor> {
  readonly embedding = new layers.Embedding(10, 8);
  readonly encoder = new layers.TransformerEncoder(8, 2, { numLayers: 2, dimFeedforward: 16, dropout: 0.5 });
  readonly classifier = new layers.Linear(8, 3);

  protected forward(ids: Tensor, masks: layers.AttentionMasks): Tensor {
    const states = this.encoder.call(this.embedding.call(ids), masks);
    return this.classifier.call(mean(states, { axes: 1 }));
  }
}

async function textParts() {
  const fixture = await loadLayerFixture("explain");
  const model = new TextModel();
  model.loadStateDict(storedState(fixture, "text"));
  const ids = fixture.tensor("text/input");
  const bits = fixture.tensor("text/padding");
  const keyPaddingMask = cast(bits, "bool");
  bits.dispose();
  const free = (): void => {
    dispose([ids, keyPaddingMask]);
    model.dispose();
  };
  return { fixture, model, ids, otherInputs: [{ keyPaddingMask }], free };
}

async function imageParts() {
  const fixture = await loadLayerFixture("explain");
  const model = imageModel(fixture);
  const images = fixture.tensor("image/input");
  const free = (): void => {
    images.dispose();
    model.dispose();
  };
  return { fixture, model, images, free };
}

type Values = Pick<Explanation, "values" | "shape">;

// sums of up to a hundred float32 terms that cancel
const TOLERANCE = { relative: 1e-4, absoluteScale: 1e-5 };

async function expectLike(fixture: Fixture, name: string, { values, shape }: Values): Promise<void> {
  const actual = tensor(values, [...shape]);
  await expect(actual).toBeCloseToTensor(fixture.host(name), TOLERANCE);
  actual.dispose();
}

describeEachDevice("explanations equal PyTorch's", () => {
  it("of images: Grad-CAM, integrated gradients, gradients, occlusion", async () => {
    const { fixture, model, images, free } = await imageParts();
    const cam = await gradCam(model, images, { layer: "4", batchSize: 4 });
    await expectLike(fixture, "image/gradCam", cam);
    expect(cam.classes).toEqual(Array.from(fixture.host("image/classes").values));
    const plain = await gradCam(model, images, { layer: "4", relu: false, upsample: false });
    await expectLike(fixture, "image/gradCamPlain", plain);
    const integrated = await integratedGradients(model, images, { steps: 20, batchSize: 32 });
    await expectLike(fixture, "image/integratedGradients", integrated);
    await expectLike(fixture, "image/gradient", await smoothGrad(model, images, { samples: 1, noise: 0 }));
    const hidden = await occlusion(model, images, { window: 3, stride: 2, baseline: 0.25, batchSize: 64 });
    await expectLike(fixture, "image/occlusion", hidden);
    free();
  });

  it("of token ids: by an embedding, hidden ids, attention and rollout", async () => {
    const { fixture, model, ids, otherInputs, free } = await textParts();
    const options = { otherInputs, target: 2, layer: "embedding", batchSize: 30 };
    await expectLike(
      fixture,
      "text/integratedGradients",
      await integratedGradients(model, ids, { ...options, steps: 24 }),
    );
    await expectLike(
      fixture,
      "text/gradient",
      await smoothGrad(model, ids, { ...options, samples: 1, noise: 0 }),
    );
    await expectLike(
      fixture,
      "text/gradCam",
      await gradCam(model, ids, { ...options, layer: "encoder.layers.0" }),
    );
    const hidden = await occlusion(model, ids, { otherInputs, target: [2, 2, 2], baseline: 9 });
    await expectLike(fixture, "text/occlusion", hidden);
    const maps = await attentionMaps(model, ids, { otherInputs, batchSize: 2 });
    expect(maps.map(({ path }) => path)).toEqual([
      "encoder.layers.0.self_attn",
      "encoder.layers.1.self_attn",
    ]);
    for (const [index, map] of maps.entries()) await expectLike(fixture, `text/attention${index}`, map);
    await expectLike(fixture, "text/rollout", await attentionRollout(model, ids, { otherInputs }));
    free();
  });
});

/** Spearman's rank correlation. */
function rankCorrelation(a: Float32Array, b: Float32Array): number {
  const ranks = (values: Float32Array): Float64Array => {
    const order = Array.from(values, (value, at) => [value, at] as const);
    order.sort(([x], [y]) => x - y);
    const result = new Float64Array(values.length);
    order.forEach(([, at], rank) => {
      result[at] = rank - (values.length - 1) / 2;
    });
    return result;
  };
  const [x, y] = [ranks(a), ranks(b)];
  const norm = (values: Float64Array): number =>
    Math.sqrt(values.reduce((total, value) => total + value ** 2, 0));
  return x.reduce((total, value, at) => total + value * y[at], 0) / (norm(x) * norm(y));
}

describe("explanations are sane", () => {
  beforeAll(() => useDevice("cpu"));

  type Explain = (model: layers.Sequential, images: Tensor) => Promise<Explanation>;
  const methods: Record<string, Explain> = {
    gradCam: (model, images) => gradCam(model, images, { layer: "4", target: 0, relu: false }),
    integratedGradients: (model, images) => integratedGradients(model, images, { target: 0, steps: 12 }),
    smoothGrad: (model, images) => smoothGrad(model, images, { target: 0, samples: 8, noise: 0.05 }),
    occlusion: (model, images) => occlusion(model, images, { target: 0, window: 3, stride: 2 }),
  };

  for (const [name, explain] of Object.entries(methods))
    it(`${name}: random weights destroy it, it points at the planted pattern`, async () => {
      const { fixture, model, images, free } = await imageParts();
      const trained = await explain(model, images);
      const corners = Array.from(fixture.host("image/corners").values, Number);
      const [batch, height, width] = trained.shape;
      let inside = 0;
      let all = 0;
      trained.values.forEach((value, at) => {
        const sample = Math.floor(at / (height * width));
        const [row, column] = [Math.floor(at / width) % height, at % width];
        const [top, left] = corners.slice(2 * sample, 2 * sample + 2);
        all += value ** 2;
        if (row >= top - 1 && row <= top + 3 && column >= left - 1 && column <= left + 3)
          inside += value ** 2;
      });
      expect(batch).toBe(6);
      expect(inside / all, "share in 25 of 144 pixels").toBeGreaterThan(name === "smoothGrad" ? 0.3 : 0.5);
      const correlations: number[] = [];
      for (const seed of [1, 2]) {
        model.initialize({ seed });
        correlations.push(Math.abs(rankCorrelation(trained.values, (await explain(model, images)).values)));
      }
      expect(Math.min(...correlations)).toBeLessThan(0.5);
      expect(Math.max(...correlations)).toBeLessThan(0.8);
      free();
    });

  it("attention maps change with the weights", async () => {
    const { model, ids, otherInputs, free } = await textParts();
    const [trained] = await attentionMaps(model, ids, { otherInputs });
    model.initialize({ seed: 1 });
    const [random] = await attentionMaps(model, ids, { otherInputs });
    expect(rankCorrelation(trained.values, random.values)).toBeLessThan(0.9);
    free();
  });

  it("integrated gradients sum to what the input changes, from any baseline, by any rule", async () => {
    const { fixture, model, images, free } = await imageParts();
    const baseline = fixture.tensor("image/baseline");
    for (const rule of ["gauss-legendre", "midpoint", "trapezoid"] as const) {
      const { completenessGaps, scores, baselineScores } = await integratedGradients(model, images, {
        baseline,
        rule,
        steps: 40,
        batchSize: 120,
      });
      completenessGaps.forEach((gap, sample) => {
        const change = scores[sample] - baselineScores[sample];
        expect(Math.abs(gap)).toBeLessThan(0.03 * Math.max(1, Math.abs(change)));
      });
    }
    await expectLike(
      fixture,
      "image/midpoint",
      await integratedGradients(model, images, { baseline, rule: "midpoint", steps: 16 }),
    );
    await expectLike(
      fixture,
      "image/trapezoid",
      await integratedGradients(model, images, { baseline, rule: "trapezoid", steps: 5 }),
    );
    baseline.dispose();
    free();
  });

  it("SmoothGrad averages over its own noise, whatever the batches, and knows the variance", async () => {
    class Cube extends layers.Module<[x: Tensor], Tensor> {
      protected forward(x: Tensor): Tensor {
        return sum(mul(x, mul(x, x)), { axes: 1 });
      }
    }
    const x = tensor([0, 1, 2, -1, 0, 1], [2, 3]);
    const target = (output: Tensor): Tensor => output;
    const options = { target, samples: 150, noise: 0.1, batchSize: 100 };
    const smooth = await smoothGrad(new Cube(), x, options);
    // E[3 (x + ε)²] = 3 x² + 3 σ² with σ = 0.2, Var = 36 x² σ² + 18 σ⁴
    const expected = [0, 1, 2, -1, 0, 1].map((value) => 3 * value ** 2 + 3 * 0.04);
    smooth.values.forEach((value, at) => {
      expect(Math.abs(value - expected[at])).toBeLessThan(0.6);
    });
    const again = await smoothGrad(new Cube(), x, { ...options, batchSize: 7 });
    again.values.forEach((value, at) => {
      expect(value).toBeCloseTo(smooth.values[at], 4);
    });
    const spread = await smoothGrad(new Cube(), x, { ...options, statistic: "variance" });
    expect(spread.values[2] / (36 * 4 * 0.04)).toBeGreaterThan(0.6);
    expect(spread.values[2] / (36 * 4 * 0.04)).toBeLessThan(1.5);
    expect((await smoothGrad(new Cube(), x, { ...options, seed: 1 })).values).not.toEqual(smooth.values);
    x.dispose();
  });

  it("rollout of one layer is its mean map with half a residual; rows sum to 1", async () => {
    const values = Float32Array.of(1, 0, 0.5, 0.5, 0, 1, 0.5, 0.5);
    const maps = [{ path: "a", values, shape: [1, 2, 2, 2] }];
    expect(Array.from(rollOutAttention(maps).values)).toEqual([0.75, 0.25, 0.25, 0.75]);
    expect(Array.from(rollOutAttention(maps, { residual: false, headFusion: "max" }).values)).toEqual([
      0.5, 0.5, 0.5, 0.5,
    ]);
    expect(() => rollOutAttention([{ path: "a", values, shape: [1, 1, 2, 4] }])).toThrow(
      /choose the self-attentions/,
    );
    expect(() => rollOutAttention([])).toThrow(/expected attention maps, got none/);
  });
});

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
