import {
  cast,
  dispose,
  manualSeed,
  mean,
  read,
  sum,
  type Tensor,
  tensor,
  useDevice,
  valueAndGrad,
  zeros,
} from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import * as layers from "./index.js";
import { expectLikeTorch, type LayerCase, loadLayerFixture } from "./testing/layer-cases.js";

const fixture = await loadLayerFixture("further-layers");
const samples = (axes: number) => fixture.host(`samples/${axes}`).values as Float32Array;
const places = { returnIndices: true } as const;
type Pool = layers.FractionalMaxPool2d<true> | layers.FractionalMaxPool3d<true>;
const withPlaces = (module: Pool, [x]: Tensor[]): Tensor[] => {
  const { values, indices } = module.call(x);
  return [values, cast(indices, "float32")];
};

const adaptive = (name: string, options: layers.AdaptiveLogSoftmaxOptions): LayerCase => ({
  name,
  build: () => new layers.AdaptiveLogSoftmaxWithLoss(8, 10, options),
  call: (module: layers.AdaptiveLogSoftmaxWithLoss, [x, target]) => {
    const { output, loss } = module.call(x, target);
    return [output, loss, module.logProb(x)];
  },
});

/** Attributes as in tooling/fixtures/layers/further_layers.py. */
const CASES: readonly LayerCase[] = [
  { name: "cosine_similarity", build: () => new layers.CosineSimilarity() },
  {
    name: "pairwise_distance",
    build: () => new layers.PairwiseDistance({ order: 3, epsilon: 1e-3, keepDims: true }),
  },
  { name: "unfold", build: () => new layers.Unfold([3, 2], { padding: [1, 0], stride: 2 }) },
  { name: "fold", build: () => new layers.Fold([4, 5], [2, 3], { dilation: [2, 1] }) },
  { name: "rrelu_eval", evaluation: true, build: () => new layers.RReLU({ lower: 0.1, upper: 0.4 }) },
  { name: "rrelu_one_slope", build: () => new layers.RReLU({ lower: 0.25, upper: 0.25 }) },
  adaptive("adaptive_log_softmax", { cutoffs: [4], divValue: 2, headBias: true }),
  { name: "softmax2d", build: () => new layers.Softmax2d() },
  {
    name: "fractional_max_pool2d",
    build: () =>
      new layers.FractionalMaxPool2d(2, { outputSize: [3, 4], randomSamples: samples(2), ...places }),
    call: withPlaces,
  },
  {
    name: "fractional_max_pool2d_ratio",
    build: () =>
      new layers.FractionalMaxPool2d([3, 2], {
        outputRatio: [0.45, 0.8],
        randomSamples: samples(2),
        ...places,
      }),
    call: withPlaces,
  },
  {
    name: "fractional_max_pool3d",
    build: () =>
      new layers.FractionalMaxPool3d(2, { outputSize: [2, 3, 4], randomSamples: samples(3), ...places }),
    call: withPlaces,
  },
  {
    name: "fractional_max_pool3d_ratio",
    build: () =>
      new layers.FractionalMaxPool3d([1, 3, 2], {
        outputRatio: [0.3, 0.45, 0.8],
        randomSamples: samples(3),
        ...places,
      }),
    call: withPlaces,
  },
];

describeEachDevice("further layers equal PyTorch's, forward and backward", () => {
  for (const layerCase of CASES) it(layerCase.name, () => expectLikeTorch(fixture, layerCase));

  it("draw slopes from the default generator, which repeats them", async () => {
    const negative = tensor(new Float32Array(1000).fill(-1), [40, 25]);
    const slopes = new layers.RReLU();
    const draw = () => {
      manualSeed(3);
      return slopes.call(negative);
    };
    const [first, again] = [draw(), draw()];
    const { value, grads } = valueAndGrad(() => {
      manualSeed(3);
      return sum(slopes.call(negative));
    }, [negative]);
    const values = await read(first);
    expect([...values].every((slope) => slope <= -1 / 8 && slope > -1 / 3)).toBe(true);
    // a mean of 1000 of width 5/24: its standard deviation is 0.002
    const average = mean(first);
    expect(Math.abs((await read(average))[0] + 11 / 48)).toBeLessThan(0.01);
    await expect(again).toBeCloseToTensor(first, { relative: 0, absoluteScale: 0 });
    expect([...(await read(grads[0]))]).toEqual([...values].map((slope) => -slope));
    dispose([negative, first, again, value, grads, average]);
  });
});

describe("on one device", () => {
  beforeAll(() => useDevice("cpu"));

  it("windows of fractional pooling lie anew for each picture and channel, cover the image, and repeat with the seed", async () => {
    const x = tensor(
      Float32Array.from({ length: 2 * 12 * 12 * 2 }, (_, cell) => Math.floor((cell % 288) / 2)),
      [2, 12, 12, 2],
    );
    const pool = new layers.FractionalMaxPool2d(2, { outputRatio: 0.7 });
    const draw = (seed: number): Tensor => {
      manualSeed(seed);
      return pool.call(x);
    };
    const results = [draw(1), draw(1), draw(2)];
    expect(results[0].shape).toEqual([2, 8, 8, 2]);
    const [first, again, other] = await Promise.all(results.map(read));
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
    const planes = [0, 1, 128, 129].map((start) =>
      [...Array(64).keys()].map((cell) => first[start + 2 * cell]).join(),
    );
    expect(new Set(planes).size).toBe(4);
    expect(first.at(-1)).toBe(143); // the last window ends where the image does
    dispose([x, results]);
  });

  it("adaptive softmax of several groups equals PyTorch's", () =>
    expectLikeTorch(fixture, adaptive("adaptive_log_softmax_groups", { cutoffs: [3, 6], divValue: 2 })));

  it("adaptive softmax predicts the likeliest class, and no target beyond the classes is taken for one", async () => {
    const layer = new layers.AdaptiveLogSoftmaxWithLoss(4, 6, { cutoffs: [2], divValue: 2 });
    const x = tensor([1, -1, 2, 0.5, -2, 1, 0, 3], [2, 4]);
    const [scores, best] = [layer.logProb(x), layer.predict(x)];
    const values = [...(await read(scores))];
    const rows = [values.slice(0, 6), values.slice(6)];
    for (const row of rows) expect(row.reduce((total, each) => total + Math.exp(each), 0)).toBeCloseTo(1, 5);
    expect([...(await read(best))]).toEqual(rows.map((row) => row.indexOf(Math.max(...row))));
    for (const wrong of [-1, 6])
      expect(() => layer.call(x, tensor(Int32Array.of(0, wrong)))).toThrow(
        /AdaptiveLogSoftmaxWithLoss: .*expected indices in/,
      );
    expect(() => layer.logProb(zeros([2, 3]))).toThrow(
      /AdaptiveLogSoftmaxWithLoss: expected an input \[batch, 4\]/,
    );
    expect(() => layer.call(x, zeros([2]))).toThrow(/expected an int32 target, got float32/);
    const build = (cutoffs: number[], divValue = 4) =>
      new layers.AdaptiveLogSoftmaxWithLoss(4, 6, { cutoffs, divValue });
    for (const cutoffs of [[], [3, 3], [0, 2], [2, 6]])
      expect(() => build(cutoffs)).toThrow(/cutoffs that ascend between 0 and 6/);
    expect(() => build([2], 5)).toThrow(/divValue that leaves 1 groups a projection of 4 features, got 5/);
    dispose([x, scores, best]);
    layer.dispose();
  });

  it("refuse what does not fit", () => {
    const { FractionalMaxPool2d, FractionalMaxPool3d, Fold, Unfold, RReLU } = layers;
    expect(() => new FractionalMaxPool2d(2, {})).toThrow(
      /FractionalMaxPool2d: expected outputSize or outputRatio, got neither/,
    );
    expect(() => new FractionalMaxPool3d(2, { outputSize: 2, outputRatio: 0.5 })).toThrow(/got both/);
    expect(() => new FractionalMaxPool2d(2, { outputRatio: 1 })).toThrow(
      /outputRatio as a number in \(0, 1\)/,
    );
    expect(() => new FractionalMaxPool2d(2, { outputRatio: ["0.5", 0.5] as never })).toThrow(
      /got \["0.5",0.5\]/,
    );
    expect(() => new FractionalMaxPool2d(2, { outputSize: 2, randomSamples: {} as never })).toThrow(
      /randomSamples as an array of numbers in \[0, 1\), got object/,
    );
    expect(() => new FractionalMaxPool2d(2, { outputSize: 2, randomSamples: [0.5, 1] })).toThrow(
      /in \[0, 1\), got 1/,
    );
    const few = new FractionalMaxPool2d(2, { outputSize: 2, randomSamples: [0.5, 0.5] });
    const x = zeros([1, 4, 4, 3]);
    expect(() => few.call(x)).toThrow(
      /FractionalMaxPool2d: expected 6 randomSamples for \[1, 4, 4, 3\], got 2/,
    );
    expect(() => new FractionalMaxPool2d(2, { outputSize: 4 }).call(x)).toThrow(
      /holds \[4, 4\] windows of \[2, 2\]/,
    );
    expect(() => new Unfold(5).call(x)).toThrow(/Unfold: .*expected an image of at least one block/);
    expect(() => new Fold(4, 2).call(zeros([1, 8, 12]))).toThrow(
      /Fold: .*expected \[batch, 9, channels · 4\]/,
    );
    expect(() => new Fold(4, 0)).toThrow(/Fold: expected an integer kernelSize/);
    expect(() => new RReLU({ lower: 0.5, upper: 0.4 })).toThrow(
      /RReLU: expected finite slopes lower ≤ upper, got 0.5 and 0.4/,
    );
    expect(() => new layers.CosineSimilarity({ axis: 0.5 })).toThrow(
      /CosineSimilarity: expected a whole axis/,
    );
    expect(() => new layers.PairwiseDistance({ epsilon: -1 })).toThrow(
      /PairwiseDistance: expected a finite epsilon/,
    );
  });
});
