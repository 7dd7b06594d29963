import type { Tensor } from "@tensorflow/tfjs-core";
import { add, maximum, mul, remainder, sub } from "../../ops/arithmetic.js";
import {
  equal,
  greater,
  greaterEqual,
  less,
  lessEqual,
  logicalAnd,
  notEqual,
  where,
} from "../../ops/compare.js";
import { concat, stack, unstack } from "../../ops/concat.js";
import { scatterAdd, takeAlongAxis } from "../../ops/indexing.js";
import { max } from "../../ops/reduce.js";
import { broadcastTo, expandDims, reshape } from "../../ops/shape-ops.js";
import { narrow } from "../../ops/slice.js";
import { softmax } from "../../ops/softmax.js";
import { logSumExp } from "../../ops/statistics.js";
import { exp, log, neg } from "../../ops/unary.js";
import { arange, full, scalar, zeros } from "../../tensor.js";
import type { CtcLossAttributes, CtcLossGradientInputs, CtcLossInputs } from "./ctc-loss-items.js";

/** Stands in for a largest value of −∞, so that no difference is NaN. */
const LOWEST = -3e38;

/** What both directions read; states are blank, label, blank, label … blank. */
interface States {
  /** Class of each state, `[batch, states]` int32; blank where the target has ended. */
  readonly labels: Tensor;
  /** Log-probabilities of the states' classes, `[batch, time, states]`; −∞ where the target has ended. */
  readonly emissions: Tensor;
  /** 0 where a state can be reached from the label before, else −∞, `[batch, states]`. */
  readonly skips: Tensor;
  /** 0 for the last two states of each target, else −∞, `[batch, states]`. */
  readonly ends: Tensor;
}

/** 0 where a condition holds, else −∞. @param condition `[...]` */
function allow(condition: Tensor): Tensor {
  return where(condition, scalar(0), scalar(Number.NEGATIVE_INFINITY));
}

function statesOf({ logProbabilities, targets, targetLengths }: CtcLossInputs, blank: number): States {
  const [batch, time]: readonly number[] = logProbabilities.shape;
  const [, labelCount]: readonly number[] = targets.shape;
  const count = 2 * labelCount + 1;
  const lengths = expandDims(targetLengths, 1); // [batch, 1]
  const known = where(less(arange(0, labelCount), lengths), targets, scalar(blank, "int32"));
  const blanks = full([batch, labelCount, 1], blank, "int32");
  const pairs = concat([blanks, expandDims(known, 2)], { axis: 2 }); // [batch, labels, 2]
  const labels = concat([reshape(pairs, [batch, count - 1]), full([batch, 1], blank, "int32")], { axis: 1 });
  const state = arange(0, count);
  const inside = lessEqual(state, mul(lengths, 2)); // [batch, states]
  const indices = broadcastTo(expandDims(labels, 1), [batch, time, count]);
  const taken = takeAlongAxis(logProbabilities, indices, { axis: 2 }); // [batch, time, states]
  const isLabel = equal(remainder(state, 2), 1);
  const differs = notEqual(labels, shift(labels, -2, blank));
  const fromEnd = sub(mul(lengths, 2), state); // [batch, states]
  return {
    labels,
    emissions: add(taken, expandDims(allow(inside), 1)),
    skips: allow(logicalAnd(logicalAnd(isLabel, differs), greater(state, 1))),
    ends: allow(logicalAnd(greaterEqual(fromEnd, 0), lessEqual(fromEnd, 1))),
  };
}

/** The values `by` states on (before, where negative); `fill` beyond the ends. @param x `[batch, states]` */
function shift(x: Tensor, by: number, fill: number): Tensor {
  const [batch, count]: readonly number[] = x.shape;
  const distance = Math.min(Math.abs(by), count);
  const gap = full([batch, distance], fill, x.dtype as "float32" | "int32");
  const rest = narrow(x, { axis: 1, start: by < 0 ? 0 : distance, length: count - distance });
  return concat(by < 0 ? [gap, rest] : [rest, gap], { axis: 1 });
}

/** `ln(eᵃ + eᵇ + eᶜ)`; −∞ for three of them. @param a, b, c `[batch, states]` */
function logSum(a: Tensor, b: Tensor, c: Tensor): Tensor {
  const largest = maximum(maximum(maximum(a, b), c), LOWEST);
  const sum = add(add(exp(sub(a, largest)), exp(sub(b, largest))), exp(sub(c, largest)));
  return add(largest, log(sum));
}

/** The largest of each row, 0 where there is none. @param x `[batch, states]` @returns `[batch, 1]` */
function largestOfRow(x: Tensor): Tensor {
  const largest = max(x, { axes: 1, keepDims: true });
  return where(greater(largest, Number.NEGATIVE_INFINITY), largest, scalar(0));
}

/** Losses by plain ops, a step after the other. @returns losses `[batch]`, forward variables `[batch, time, states]` */
export function ctcLossReference(inputs: CtcLossInputs, { blank }: CtcLossAttributes): Tensor[] {
  const [batch, time]: readonly number[] = inputs.logProbabilities.shape;
  const { emissions, skips, ends } = statesOf(inputs, blank);
  const [, count]: readonly number[] = skips.shape;
  const inputLengths = expandDims(inputs.inputLengths, 1); // [batch, 1]
  const nowhere = scalar(Number.NEGATIVE_INFINITY);
  const state = arange(0, count);
  // before the first step all paths stand in front of the first two states
  let last = broadcastTo(allow(equal(state, 0)), [batch, count]);
  let total: Tensor = zeros([batch, 1]);
  let current = last;
  const rows: Tensor[] = [];
  for (const [step, emission] of (time === 0 ? [] : unstack(emissions, { axis: 1 })).entries()) {
    if (step === 0) current = where(less(state, 2), emission, nowhere);
    else {
      const skipped = add(shift(current, -2, Number.NEGATIVE_INFINITY), skips);
      current = add(logSum(current, shift(current, -1, Number.NEGATIVE_INFINITY), skipped), emission);
    }
    const largest = largestOfRow(current);
    current = sub(current, largest);
    const active = greater(inputLengths, step); // [batch, 1]
    total = where(active, add(total, largest), total);
    last = where(active, current, last);
    rows.push(where(active, current, nowhere));
  }
  const losses = neg(add(reshape(total, [batch]), logSumExp(add(last, ends), { axes: 1 })));
  return [losses, time === 0 ? zeros([batch, 0, count]) : stack(rows, { axis: 1 })];
}

/** The gradient by plain ops. @returns `[batch, time, classes]` */
export function ctcLossGradientReference(
  { dy, losses, alphas, ...inputs }: CtcLossGradientInputs,
  { blank, zeroInfinity }: CtcLossAttributes,
): Tensor {
  const { logProbabilities } = inputs;
  const [batch, time]: readonly number[] = logProbabilities.shape;
  if (logProbabilities.size === 0) return zeros(logProbabilities.shape);
  const { labels, emissions, skips, ends } = statesOf(inputs, blank);
  const [, count]: readonly number[] = skips.shape;
  const inputLengths = expandDims(inputs.inputLengths, 1); // [batch, 1]
  const emissionRows = unstack(emissions, { axis: 1 });
  const skipsAfter = shift(skips, 2, Number.NEGATIVE_INFINITY);
  const rows: Tensor[] = new Array(time);
  let current = ends;
  for (let step = time - 1; step >= 0; step--) {
    if (step < time - 1) {
      const weighted = add(current, emissionRows[step + 1]);
      const before = logSum(
        weighted,
        shift(weighted, 1, Number.NEGATIVE_INFINITY),
        add(shift(weighted, 2, Number.NEGATIVE_INFINITY), skipsAfter),
      );
      current = where(greater(inputLengths, step + 1), sub(before, largestOfRow(before)), ends);
    }
    rows[step] = current;
  }
  const states = softmax(add(alphas, stack(rows, { axis: 1 }))); // [batch, time, states]
  const indices = broadcastTo(expandDims(labels, 1), [batch, time, count]);
  const classes = scatterAdd(zeros(logProbabilities.shape), indices, states, { axis: 2 });
  const slope = mul(sub(exp(logProbabilities), classes), reshape(dy, [batch, 1, 1]));
  const infinite = reshape(equal(losses, Number.POSITIVE_INFINITY), [batch, 1, 1]);
  const finite = where(infinite, scalar(zeroInfinity ? 0 : Number.NaN), slope);
  const active = less(reshape(arange(0, time), [1, time, 1]), reshape(inputLengths, [batch, 1, 1]));
  return where(active, finite, scalar(0)); // [batch, time, classes]
}
