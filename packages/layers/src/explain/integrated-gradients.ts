import {
  add,
  dispose,
  InputError,
  indexAdd,
  mul,
  reshape,
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
import { baselineOf, byPosition, gradientsAt, pointsOf } from "./points.js";
import { type QuadratureRule, quadrature } from "./quadrature.js";
import { Subject, takeRows } from "./subject.js";

/** Options of {@link integratedGradients}. */
export interface IntegratedGradientsOptions<Output = Tensor> extends GradientExplainOptions<Output> {
  /** The input that says nothing, where paths begin: a number for all elements, or a tensor like the input or one sample of it. Default 0. */
  readonly baseline?: number | Tensor;
  /** With `layer`: the layer's output where paths begin, in place of its output for `baseline`. */
  readonly layerBaseline?: number | Tensor;
  /** Points on the path. Default 50. */
  readonly steps?: number;
  /** Where the points lie. Default `"gauss-legendre"`. */
  readonly rule?: QuadratureRule;
}

/** What {@link integratedGradients} gives. */
export interface IntegratedGradientsExplanation extends Explanation {
  /** The target's number for the baseline of each sample. */
  readonly baselineScores: readonly number[];
  /** For each sample the sum of its values minus `score − baselineScore`: 0 when there are enough steps. */
  readonly completenessGaps: readonly number[];
}

/**
 * Splits the difference that the input makes to the target into one share an element:
 * `(x_i − b_i) · ∫₀¹ ∂F(b + α(x − b)) / ∂x_i dα`. The shares sum to `F(x) − F(b)`.
 * @param x `[batch, ...]` float32, or token ids with `layer`
 * @returns `values` like the input or the layer's output; `[batch, ...positions]` with `perPosition`
 * @throws InputError or ShapeError for a target, baseline, layer or options that do not fit; the signal's reason.
 * @see Sundararajan, Taly, Yan (2017), "Axiomatic attribution for deep networks", https://arxiv.org/abs/1703.01365
 * @example
 * const words = await integratedGradients(model, ids, { layer: "embeddings", baseline: padId, perPosition: true });
 */
export async function integratedGradients<Model extends AnyModule>(
  model: Model,
  x: Tensor,
  options: IntegratedGradientsOptions<OutputOf<Model>> = {},
): Promise<IntegratedGradientsExplanation> {
  const names = [...GRADIENT_OPTIONS, "baseline", "layerBaseline", "steps", "rule"];
  const subject = new Subject("integratedGradients", { model, x, names }, options);
  const {
    steps = 50,
    rule = "gauss-legendre",
    baseline = 0,
    layerBaseline,
    layer,
    perPosition = false,
  } = options;
  assertOneOf("integratedGradients", "rule", rule, ["gauss-legendre", "midpoint", "trapezoid"]);
  assertIntegers("integratedGradients", { steps }, rule === "trapezoid" ? 2 : 1);
  if (layerBaseline !== undefined && layer === undefined)
    throw new InputError(
      "integratedGradients: expected layerBaseline with a layer, got no layer; use baseline",
    );
  const scores = await subject.begin();
  const points = pointsOf(subject, layer);
  let start: Tensor | undefined;
  try {
    start = startOf(subject, points, { baseline, layerBaseline });
    const { batch } = subject;
    const path = quadrature(rule, steps);
    const shape = points.values.shape;
    const features = points.values.size / batch;
    const totals = new Float64Array(points.values.size);
    const column = [...shape.map((_, axis) => (axis === 0 ? -1 : 1))];

    const shares = (rows: number[]): Tensor[] => {
      const samples = rows.map((row) => Math.floor(row / steps));
      const first = samples[0];
      const distinct = samples[samples.length - 1] - first + 1;
      const numbers = (list: readonly number[]): Tensor =>
        reshape(tensor(rows.map((row) => list[row % steps])), column); // [rows, 1, …]
      const [end, begin] = [points.values, start as Tensor].map((values) => takeRows(values, samples));
      const way = sub(end, begin);
      const point = add(begin, mul(way, numbers(path.points))); // [rows, ...]
      const gradients = gradientsAt(subject, points, samples, point);
      const weighted = reshape(mul(mul(gradients, way), numbers(path.weights)), [rows.length, features]);
      const places = tensor(
        Int32Array.from(samples, (sample) => sample - first),
        [rows.length],
      );
      return [indexAdd(zeros([distinct, features]), places, weighted)]; // [samples of this batch, features]
    };
    await subject.forEachBatch(batch * steps, shares, (rows, [values]) => {
      const from = Math.floor(rows[0] / steps) * features;
      values.forEach((value, index) => {
        totals[from + index] += value;
      });
    });

    const baselineScores: number[] = [];
    for (const samples of subject.batches(batch))
      baselineScores.push(
        ...(await subject.read(() => points.score(samples, takeRows(start as Tensor, samples)))),
      );
    const completenessGaps = scores.map((score, sample) => {
      const own = totals.subarray(sample * features, (sample + 1) * features);
      return own.reduce((total, value) => total + value, 0) - (score - baselineScores[sample]);
    });
    return {
      ...byPosition(totals, shape, perPosition),
      scores,
      classes: subject.classes,
      baselineScores,
      completenessGaps,
    };
  } finally {
    if (start !== undefined) dispose(start);
    points.dispose();
  }
}

/** Where the paths begin, like the points, kept. */
function startOf(
  subject: Subject,
  points: ReturnType<typeof pointsOf>,
  {
    baseline,
    layerBaseline,
  }: Pick<IntegratedGradientsOptions, "layerBaseline"> & { baseline: number | Tensor },
): Tensor {
  const { operation, x } = subject;
  if (layerBaseline !== undefined) return baselineOf(operation, points.values, layerBaseline);
  const input = baselineOf(operation, x, baseline);
  try {
    return points.at(input);
  } finally {
    dispose(input);
  }
}
