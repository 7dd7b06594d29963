import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { asDType } from "../../dtype.js";
import { DTypeError, ShapeError } from "../../errors.js";
import { formatShape, sameShape } from "../../shape.js";
import { defineKernel } from "../define-kernel.js";
import { selectiveScanGradient } from "./selective-scan.gradient.js";
import { selectiveScanReference } from "./selective-scan.reference.js";
import { selectiveScanWasm } from "./selective-scan.wasm.js";
import { selectiveScanWebgpu } from "./selective-scan.webgpu.js";

/** `x` and `step` `[batch, length, channels]`, `a` `[channels, state]`, `b` and `c` `[batch, length, state]`, `d` `[channels]` */
export type SelectiveScanInputs = {
  x: Tensor;
  step: Tensor;
  a: Tensor;
  b: Tensor;
  c: Tensor;
  d: Tensor | undefined;
};

/** Outputs: what is read from the states, and the states behind every chunk of steps, which the gradient starts from. */
export const selectiveScanKernel = /* @__PURE__ */ defineKernel<SelectiveScanInputs>({
  name: "SelectiveScan",
  reference: selectiveScanReference,
  implementations: { wasm: selectiveScanWasm, webgpu: selectiveScanWebgpu },
  saves: ["x", "step", "a", "b", "c", "d", "output"],
  gradient: selectiveScanGradient,
});

/** Options of {@link selectiveScan}: the letters of the paper. */
export interface SelectiveScanOptions {
  /** Growth of each number of state, `[channels, state]`; negative where the past fades. */
  readonly a: Tensor;
  /** How each step writes to the states, `[batch, length, state]`. */
  readonly b: Tensor;
  /** How each step reads the states, `[batch, length, state]`. */
  readonly c: Tensor;
  /** Share of the input that goes past the states, `[channels]`. Default none. */
  readonly d?: Tensor;
}

/**
 * The selective scan of a state-space model. Each channel carries `state` numbers from step to step:
 * `h[t] = exp(step[t]·a)·h[t−1] + step[t]·b[t]·x[t]` with `h[−1] = 0`; `y[t] = c[t]·h[t] + d·x[t]`.
 * On `wasm` and `webgpu` no tensor of all states exists, forward or backward: the gradient starts from the states after
 * every 16th step and computes those between again. On `cpu` (and on `wasm` above 128 numbers of state) it is a
 * {@link linearScan}, whose states live while the op runs.
 * @param x `[batch, length, channels]`
 * @param step Width of each step, Δ in the paper, `[batch, length, channels]`; positive as a rule.
 * @returns `y` `[batch, length, channels]`
 * @throws ShapeError when the shapes do not fit together; DTypeError when a tensor is not float32.
 * @see Gu, Dao (2023), "Mamba: linear-time sequence modeling with selective state spaces", algorithm 2 and section 3.3, https://arxiv.org/abs/2312.00752
 * @example
 * const y = selectiveScan(x, softplus(width), { a: neg(exp(logA)), b, c, d }); // [batch, length, channels]
 */
export function selectiveScan(x: Tensor, step: Tensor, options: SelectiveScanOptions): Tensor {
  assertOptions("selectiveScan", options, ["a", "b", "c", "d"]);
  const { a, b, c, d } = options;
  for (const [name, value] of Object.entries({ x, step, a, b, c, ...(d === undefined ? {} : { d }) }))
    if (asDType("selectiveScan", value?.dtype) !== "float32")
      throw new DTypeError(`selectiveScan: expected float32 for ${name}, got ${value.dtype}; cast it first`);
  const [batch, length, channels] = x.shape;
  const [, state] = a.shape;
  if (
    x.shape.length !== 3 ||
    a.shape.length !== 2 ||
    !sameShape(step.shape, x.shape) ||
    !sameShape(a.shape, [channels, state]) ||
    !sameShape(b.shape, [batch, length, state]) ||
    !sameShape(c.shape, b.shape) ||
    (d !== undefined && !sameShape(d.shape, [channels]))
  )
    throw new ShapeError(
      `selectiveScan: expected x and step [batch, length, channels], a [channels, state], b and c [batch, length, state], d [channels], ` +
        `got ${[x, step, a, b, c, ...(d === undefined ? [] : [d])].map(({ shape }) => formatShape(shape)).join(", ")}`,
    );
  const [output, states] = selectiveScanKernel.multiple({ x, step, a, b, c, d }, {});
  states.dispose();
  return output;
}
