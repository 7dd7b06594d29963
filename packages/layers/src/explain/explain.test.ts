import { mul, sum, type Tensor, tensor, useDevice } from "@ai/tensor";
import { describeEachDevice, type Fixture } from "@ai/tensor/testing";
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
import { imageParts, textParts } from "../testing/explain-models.js";

type Values = Pick<Explanation, "values" | "shape">;

// sums of up to a hundred float32 terms that cancel
const TOLERANCE = { relative: 1e-4, absoluteScale: 1e-5 };

async function expectLike(fixture: Fixture, name: string, { values, shape }: Values): Promise<void> {
  const actual = tensor(values, [...shape]);
  await expect(actual).toBeCloseToTensor(fixture.host(name), TOLERANCE);
  actual.dispose();
}

describeEachDevice("explanations equal PyTorch's", () => {
  it("Grad-CAM of images", async () => {
    const { fixture, model, images, free } = await imageParts();
    const cam = await gradCam(model, images, { layer: "4", batchSize: 4 });
    await expectLike(fixture, "image/gradCam", cam);
    expect(cam.classes).toEqual(Array.from(fixture.host("image/classes").values));
    const plain = await gradCam(model, images, { layer: "4", relu: false, upsample: false });
    await expectLike(fixture, "image/gradCamPlain", plain);
    free();
  });

  it("integrated and plain gradients of images", async () => {
    const { fixture, model, images, free } = await imageParts();
    const integrated = await integratedGradients(model, images, { steps: 20, batchSize: 70 });
    await expectLike(fixture, "image/integratedGradients", integrated);
    await expectLike(fixture, "image/gradient", await smoothGrad(model, images, { samples: 1, noise: 0 }));
    free();
  });

  it("occlusion of images", async () => {
    const { fixture, model, images, free } = await imageParts();
    const hidden = await occlusion(model, images, { window: 3, stride: 2, baseline: 0.25, batchSize: 150 });
    await expectLike(fixture, "image/occlusion", hidden);
    free();
  });

  it("gradients of token ids, by the embedding", async () => {
    const { fixture, model, ids, otherInputs, free } = await textParts();
    const options = { otherInputs, target: 2, layer: "embedding", batchSize: 40 };
    const integrated = await integratedGradients(model, ids, { ...options, steps: 24 });
    await expectLike(fixture, "text/integratedGradients", integrated);
    const plain = await smoothGrad(model, ids, { ...options, samples: 1, noise: 0 });
    await expectLike(fixture, "text/gradient", plain);
    const cam = await gradCam(model, ids, { ...options, layer: "encoder.layers.0" });
    await expectLike(fixture, "text/gradCam", cam);
    free();
  });

  it("hidden token ids, attention maps and rollout", async () => {
    const { fixture, model, ids, otherInputs, free } = await textParts();
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
