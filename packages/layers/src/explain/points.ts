import {
  dispose,
  grad,
  InputError,
  keep,
  noGrad,
  ShapeError,
  sum,
  type Tensor,
  tidy,
  zeros,
} from "@ai/tensor";
import { formatShape } from "../checks.js";
import type { AnyModule } from "../module.js";
import { replacing, type Subject, takeRows } from "./subject.js";

/** What gradients are taken of: the input, or a layer's output in its place. */
export interface Points {
  /** `[batch, ...]` */
  readonly values: Tensor;
  /** The target's number for each row at other points. @param point `[rows, ...]` @returns `[rows]` */
  readonly score: (samples: readonly number[], point: Tensor) => Tensor;
  /** What a layer gives for another input, the input itself where no layer is named. @returns a tensor that is the caller's */
  readonly at: (input: Tensor) => Tensor;
  /** Frees what this holds. */
  readonly dispose: () => void;
}

/** @throws InputError for an input of integers without a layer, or a layer that does not fit. */
export function pointsOf(subject: Subject, layer: string | AnyModule | undefined): Points {
  const { operation, x } = subject;
  if (layer === undefined) {
    if (x.dtype !== "float32")
      throw new InputError(
        `${operation}: expected a float32 input, got ${x.dtype}; name the layer that embeds it: { layer }`,
      );
    return {
      values: x,
      score: (samples, point) => subject.score(samples, point),
      at: (input) => takeRows(input, samplesOf(input)),
      dispose: () => {},
    };
  }
  const module = subject.layer(layer);
  const at = (input: Tensor): Tensor => {
    const samples = samplesOf(subject.x);
    return subject.capture(module, () => subject.call(samples, input));
  };
  const values = at(x);
  if (values.shape[0] !== subject.batch) {
    dispose(values);
    throw new ShapeError(
      `${operation}: expected a layer that gives [${subject.batch}, ...], got ${formatShape(values.shape)}; choose another layer`,
    );
  }
  return {
    values,
    score: (samples, point) => replacing(module, point, () => subject.score(samples, subject.take(samples))),
    at,
    dispose: () => dispose(values),
  };
}

function samplesOf({ shape }: Tensor): number[] {
  return Array.from({ length: shape[0] }, (_, sample) => sample);
}

/** Gradients of the target's numbers at points. @param point `[rows, ...]` @returns the shape of `point` */
export function gradientsAt(
  subject: Subject,
  points: Points,
  samples: readonly number[],
  point: Tensor,
): Tensor {
  const [gradient] = grad((value) => sum(points.score(samples, value)), [point], { allowUnused: true });
  if (gradient === null)
    throw new InputError(
      `${subject.operation}: expected a target that depends on the input, got one that ignores it; check the target and the layer`,
    );
  return gradient;
}

/**
 * A baseline as a tensor like `x`, kept.
 * @param baseline a number, or a tensor of the shape of `x` or of one sample of it
 */
export function baselineOf(operation: string, x: Tensor, baseline: number | Tensor): Tensor {
  if (typeof baseline === "number") {
    if (!Number.isFinite(baseline))
      throw new InputError(`${operation}: expected a finite baseline, got ${baseline}`);
    return keep(zeros(x.shape, x.dtype as "float32", baseline));
  }
  const isTensor = typeof baseline === "object" && baseline !== null && "dataId" in baseline;
  const one = [1, ...x.shape.slice(1)];
  const fits = (shape: readonly number[]): boolean =>
    isTensor && formatShape(baseline.shape) === formatShape(shape);
  if (!isTensor || baseline.dtype !== x.dtype || !(fits(x.shape) || fits(one)))
    throw new ShapeError(
      `${operation}: expected a number or a ${x.dtype} tensor ${formatShape(x.shape)} or ${formatShape(one)} as baseline, got ${isTensor ? `${formatShape(baseline.shape)} ${baseline.dtype}` : typeof baseline}`,
    );
  const rows = fits(x.shape) ? samplesOf(x) : new Array<number>(x.shape[0]).fill(0);
  return keep(noGrad(() => tidy(() => takeRows(baseline, rows))));
}

/** Sums over the last axis where asked for. @returns values and shape of one number a position */
export function byPosition(
  values: Float64Array,
  shape: readonly number[],
  perPosition: boolean,
): { values: Float32Array; shape: number[] } {
  // of vectors [batch, features] every element is a position
  if (!perPosition || shape.length < 3) return { values: Float32Array.from(values), shape: [...shape] };
  const channels = shape[shape.length - 1];
  const sums = Float32Array.from({ length: values.length / channels }, (_, position) => {
    let total = 0;
    for (let channel = 0; channel < channels; channel++) total += values[position * channels + channel];
    return total;
  });
  return { values: sums, shape: shape.slice(0, -1) };
}
