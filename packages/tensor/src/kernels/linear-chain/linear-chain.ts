import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { asDType } from "../../dtype.js";
import { DTypeError, ShapeError } from "../../errors.js";
import { tidy } from "../../memory.js";
import { formatShape, sameShape } from "../../shape.js";
import { zeros } from "../../tensor.js";
import { defineKernel } from "../define-kernel.js";
import { itemLengths } from "../item-lengths.js";
import { linearChainGradient } from "./linear-chain.gradient.js";
import { linearChainReference } from "./linear-chain.reference.js";
import { linearChainWasm } from "./linear-chain.wasm.js";
import { linearChainWebgpu } from "./linear-chain.webgpu.js";

/** `emissions` `[batch, length, tags]`, `transitions` `[tags, tags]`, `start` and `end` `[tags]`, `lengths` `[batch]` int32 */
export type LinearChainInputs = {
  emissions: Tensor;
  transitions: Tensor;
  start: Tensor;
  end: Tensor;
  lengths: Tensor;
};

/** One output, `[batch]`. */
export const linearChainKernel = /* @__PURE__ */ defineKernel<LinearChainInputs, object>({
  name: "LinearChain",
  reference: linearChainReference,
  implementations: { wasm: linearChainWasm, webgpu: linearChainWebgpu },
  saves: ["emissions", "transitions", "start", "end", "lengths"],
  gradient: linearChainGradient,
});

/** Options of {@link linearChainLogPartition}. */
export interface LinearChainOptions {
  /** Score of each tag at the first step, `[tags]`. Default zeros. */
  readonly start?: Tensor;
  /** Score of each tag at the last step, `[tags]`. Default zeros. */
  readonly end?: Tensor;
  /** Steps of each item that count, `[batch]` int32 or plain numbers. Default: all. */
  readonly lengths?: Tensor | readonly number[];
}

/**
 * Sum over all sequences of one tag a step, in log space:
 * `ln Σ_y exp(start[y₁] + Σₜ emissions[t, yₜ] + Σₜ transitions[yₜ₋₁, yₜ] + end[y_last])`, in O(length · tags²) an item.
 *
 * Its gradients are the probabilities of the model `p(y) ∝ exp(score)`: of a tag at a step for `emissions`, expected counts
 * of the pairs for `transitions`. Every step is taken relative to its largest value, so that long sequences neither
 * overflow nor lose digits. −∞ forbids a tag or a transition: its gradient is 0. An item without steps gives 0 (one empty
 * sequence), one for which no sequence is possible −∞ with gradient 0. What lies beyond an item's length is not read.
 * @param emissions `[batch, length, tags]` score of each tag at each step
 * @param transitions `[tags, tags]` score of going from a tag (row) to the next (column)
 * @returns `[batch]`
 * @throws ShapeError, DTypeError when the tensors do not fit together. @throws KernelError for a length out of range, where the host has the values.
 * @see Lafferty, McCallum, Pereira (2001), "Conditional random fields"; Rabiner (1989), "A tutorial on hidden Markov models", https://doi.org/10.1109/5.18626, section III
 * @example
 * const total = linearChainLogPartition(emissions, transitions, { start, end, lengths: [5, 3] });
 */
export function linearChainLogPartition(
  emissions: Tensor,
  transitions: Tensor,
  options: LinearChainOptions = {},
): Tensor {
  const operation = "linearChainLogPartition";
  assertOptions(operation, options, ["start", "end", "lengths"]);
  const { start, end } = options;
  for (const [name, value] of Object.entries({ emissions, transitions, start, end }))
    if (
      (value !== undefined || name === "emissions" || name === "transitions") &&
      asDType(operation, value?.dtype) !== "float32"
    )
      throw new DTypeError(`${operation}: expected float32 for ${name}, got ${value?.dtype}; cast it first`);
  const [batch, length, tags]: readonly number[] = emissions.shape;
  if (
    emissions.shape.length !== 3 ||
    !sameShape(transitions.shape, [tags, tags]) ||
    [start, end].some((scores) => scores !== undefined && !sameShape(scores.shape, [tags]))
  )
    throw new ShapeError(
      `${operation}: expected emissions [batch, length, tags], transitions [tags, tags], start and end [tags], got ` +
        [emissions, transitions, start, end]
          .filter((value) => value !== undefined)
          .map(({ shape }) => formatShape(shape))
          .join(", "),
    );
  return tidy(() =>
    linearChainKernel(
      {
        emissions,
        transitions,
        start: start ?? zeros([tags]),
        end: end ?? zeros([tags]),
        lengths: itemLengths(options.lengths, { operation, name: "lengths", batch, largest: length }),
      },
      {},
    ),
  );
}
