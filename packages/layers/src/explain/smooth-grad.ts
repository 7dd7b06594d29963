import {
  add,
  InputError,
  indexAdd,
  max,
  min,
  mul,
  RandomGenerator,
  randomNormal,
  reshape,
  square,
  stack,
  sub,
  type Tensor,
  tensor,
  zeros,
} from "@ai/tensor";
import { assertIntegers, assertOneOf } from "../checks.js";
import type { AnyModule } from "../module.js";
import {
  type Explanation,
  GRADIENT_OPTIONS,
  type GradientExplainOptions,
  type OutputOf,
} from "./explain-options.js";
import { byPosition, gradientsAt, pointsOf } from "./points.js";
import { Subject, takeRows } from "./subject.js";

/** Options of {@link smoothGrad}. */
export interface SmoothGradOptions<Output = Tensor> extends GradientExplainOptions<Output> {
  /** Noisy copies of each sample. Default 25. */
  readonly samples?: number;
  /** Standard deviation of the noise as a share of a sample's range, largest minus smallest. Default 0.15. */
  readonly noise?: number;
  /** Whose noise. Default 0. The noise of a sample does not depend on `batchSize`. */
  readonly seed?: number;
  /** What becomes of the gradients: their mean, the mean of their squares, or their variance. Default `"mean"`. */
  readonly statistic?: "mean" | "square" | "variance";
}

/**
 * The target's gradient, averaged over noisy copies of the input: `1/n · Σ ∂F(x + ε) / ∂x`, ε normal. With
 * `{ samples: 1, noise: 0 }` the plain gradient (saliency).
 * @param x `[batch, ...]` float32, or token ids with `layer`
 * @returns `values` like the input or the layer's output; `[batch, ...positions]` with `perPosition`
 * @throws InputError or ShapeError for a target, layer or options that do not fit; the signal's reason.
 * @see Smilkov, Thorat, Kim, Viégas, Wattenberg (2017), "SmoothGrad: removing noise by adding noise", https://arxiv.org/abs/1706.03825
 * @example
 * const { values } = await smoothGrad(model, image, { target: 3, samples: 50, perPosition: true });
 */
export async function smoothGrad<Model extends AnyModule>(
  model: Model,
  x: Tensor,
  options: SmoothGradOptions<OutputOf<Model>> = {},
): Promise<Explanation> {
  const names = [...GRADIENT_OPTIONS, "samples", "noise", "seed", "statistic"];
  const subject = new Subject("smoothGrad", { model, x, names }, options);
  const {
    samples: copies = 25,
    noise = 0.15,
    seed = 0,
    statistic = "mean",
    layer,
    perPosition = false,
  } = options;
  assertIntegers("smoothGrad", { samples: copies });
  assertOneOf("smoothGrad", "statistic", statistic, ["mean", "square", "variance"]);
  if (!(noise >= 0 && Number.isFinite(noise)))
    throw new InputError(`smoothGrad: expected noise of at least 0, got ${noise}`);
  const generator = new RandomGenerator(seed);
  const scores = await subject.begin();
  const points = pointsOf(subject, layer);
  try {
    const { shape, size } = points.values;
    const features = size / subject.batch;
    const [sums, squares] = [new Float64Array(size), new Float64Array(size)];
    const inner = shape.slice(1).map((_, axis) => axis + 1);

    const gradients = (rows: number[]): Tensor[] => {
      const samples = rows.map((row) => Math.floor(row / copies));
      const own = takeRows(points.values, samples);
      const range = sub(max(own, { axes: inner, keepDims: true }), min(own, { axes: inner, keepDims: true })); // [rows, 1, …]
      const draws = rows.map((row) =>
        randomNormal(shape.slice(1), { generator: generator.fork(String(row)) }),
      );
      const point = noise === 0 ? own : add(own, mul(stack(draws), mul(range, noise))); // [rows, ...]
      const slopes = reshape(gradientsAt(subject, points, samples, point), [rows.length, features]);
      const places = tensor(
        Int32Array.from(samples, (sample) => sample - samples[0]),
        [rows.length],
      );
      const total = (values: Tensor): Tensor =>
        indexAdd(zeros([samples[samples.length - 1] - samples[0] + 1, features]), places, values);
      return [total(slopes), total(square(slopes))];
    };
    await subject.forEachBatch(subject.batch * copies, gradients, (rows, totals) => {
      const from = Math.floor(rows[0] / copies) * features;
      [sums, squares].forEach((target, which) => {
        totals[which].forEach((value, index) => {
          target[from + index] += value;
        });
      });
    });

    const means = sums.map((value) => value / copies);
    const values =
      statistic === "mean"
        ? means
        : squares.map((value, at) => value / copies - (statistic === "variance" ? means[at] ** 2 : 0));
    return { ...byPosition(values, shape, perPosition), scores, classes: subject.classes };
  } finally {
    points.dispose();
  }
}
