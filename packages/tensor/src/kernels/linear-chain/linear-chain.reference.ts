import type { Tensor } from "@tensorflow/tfjs-core";
import { stopGradient } from "../../autograd.js";
import { add, maximum, mul, sub } from "../../ops/arithmetic.js";
import { equal, greater, less, where } from "../../ops/compare.js";
import { stack, unstack } from "../../ops/concat.js";
import { max, sum } from "../../ops/reduce.js";
import { expandDims, reshape } from "../../ops/shape-ops.js";
import { exp, log } from "../../ops/unary.js";
import { zeros } from "../../tensor.js";
import type { LinearChainInputs } from "./linear-chain.js";

export type LinearChainGradientInputs = LinearChainInputs & { dy: Tensor };

/** Stands in for a largest value of −∞, so that no difference is NaN. */
const LOWEST = -3e38;

/** `ln Σ eˣ` along an axis; −∞ with gradient 0 where all are −∞. */
function logSum(x: Tensor, axis: number): Tensor {
  const largest = stopGradient(maximum(max(x, { axes: axis, keepDims: true }), LOWEST));
  const total = sum(exp(sub(x, largest)), { axes: axis });
  const none = equal(total, 0);
  const value = add(reshape(largest, total.shape), log(where(none, 1, total)));
  return where(none, Number.NEGATIVE_INFINITY, value);
}

/** The largest of each row where it is finite, else 0. @param x `[batch, tags]` @returns `[batch, 1]` */
function largestOfRow(x: Tensor): Tensor {
  const largest = stopGradient(max(x, { axes: 1, keepDims: true }));
  return where(greater(largest, LOWEST), largest, 0);
}

/** A forward pass: per step the row `[batch, tags]` relative to its largest value, that value and whether it counts, `[batch, 1]`. */
interface ForwardPass {
  readonly scores: Tensor[];
  readonly rows: Tensor[];
  readonly shifts: Tensor[];
  readonly inside: Tensor[];
}

/** Rows stand still behind an item's end. */
function forwardPass({ emissions, transitions, start, lengths }: LinearChainInputs): ForwardPass {
  const pass: ForwardPass = { scores: [], rows: [], shifts: [], inside: [] };
  const steps = expandDims(lengths, 1); // [batch, 1]
  for (const [step, given] of unstack(emissions, { axis: 1 }).entries()) {
    const inside = less(step, steps); // [batch, 1]
    const score = where(inside, given, 0);
    const before = pass.rows.at(-1);
    const reached = before === undefined ? start : logSum(add(expandDims(before, 2), transitions), 1); // [batch, tags]
    const raw = add(reached, score);
    const largest = largestOfRow(raw);
    pass.scores.push(score);
    pass.inside.push(inside);
    pass.shifts.push(where(inside, largest, 0));
    pass.rows.push(where(inside, sub(raw, largest), before ?? zeros(given.shape)));
  }
  return pass;
}

/** The sums by plain ops, a step after the other. @returns `[batch]` */
export function linearChainReference(inputs: LinearChainInputs): Tensor {
  const [batch, length]: readonly number[] = inputs.emissions.shape;
  if (length === 0) return zeros([batch]);
  const { rows, shifts, inside } = forwardPass(inputs);
  const shift = shifts.reduce((total, each) => add(total, each));
  const total = add(reshape(shift, [batch]), logSum(add(rows[length - 1], inputs.end), 1));
  return where(reshape(inside[0], [batch]), total, 0);
}

/** The gradients by plain ops. @returns of emissions `[batch, length, tags]`; of each item's transitions `[batch, tags, tags]` and end `[batch, tags]` */
export function linearChainGradientReference({ dy, ...inputs }: LinearChainGradientInputs): Tensor[] {
  const { emissions, transitions, end } = inputs;
  const [batch, length, tags]: readonly number[] = emissions.shape;
  if (length === 0) return [zeros(emissions.shape), zeros([batch, tags, tags]), zeros([batch, tags])];
  const { scores, rows, shifts, inside } = forwardPass(inputs);
  const factor = reshape(dy, [batch, 1]);
  const steps = expandDims(inputs.lengths, 1); // [batch, 1]
  const shares: Tensor[] = new Array(length);
  let pairs = zeros([batch, tags, tags]);
  let ends = zeros([batch, tags]);
  let after = add(end, zeros([batch, tags]));
  for (let step = length - 1; step >= 0; step--) {
    const weighted = add(rows[step], after);
    const total = expandDims(logSum(weighted, 1), 1); // [batch, 1]
    const impossible = equal(total, Number.NEGATIVE_INFINITY);
    const share = where(impossible, 0, exp(sub(weighted, where(impossible, 0, total))));
    shares[step] = where(inside[step], mul(share, factor), 0);
    ends = where(equal(steps, step + 1), shares[step], ends);
    if (step === 0) break;
    const here = add(scores[step], after); // [batch, tags]
    const shift = where(impossible, Number.POSITIVE_INFINITY, add(total, shifts[step]));
    const pair = exp(add(add(expandDims(sub(rows[step - 1], shift), 2), transitions), expandDims(here, 1))); // [batch, tags, tags]
    pairs = add(pairs, where(expandDims(inside[step], 2), pair, 0));
    const moved = logSum(add(transitions, expandDims(here, 1)), 2); // [batch, tags]
    after = where(inside[step], sub(moved, largestOfRow(moved)), after);
  }
  return [stack(shares, { axis: 1 }), mul(pairs, expandDims(factor, 2)), ends];
}
