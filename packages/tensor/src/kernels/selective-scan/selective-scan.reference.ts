import type { Tensor } from "@tensorflow/tfjs-core";
import { add, mul } from "../../ops/arithmetic.js";
import { gather, indexAdd } from "../../ops/indexing.js";
import { sum } from "../../ops/reduce.js";
import { expandDims, transpose } from "../../ops/shape-ops.js";
import { exp } from "../../ops/unary.js";
import { tensor, zeros } from "../../tensor.js";
import { shifted } from "../linear-scan/linear-scan.gradient.js";
import { linearScan } from "../linear-scan/linear-scan.js";
import type { SelectiveScanInputs } from "./selective-scan.js";

/** Steps between two states that are kept; packages/tensor/wasm/selective-scan.ts has the same number. */
export const CHUNK_LENGTH = 16;

/** Last step of each chunk. @returns `[chunks]` int32 */
function lastSteps(length: number): Tensor {
  const chunks = Math.ceil(length / CHUNK_LENGTH);
  const steps = Int32Array.from({ length: chunks }, (_, chunk) =>
    Math.min(length, (chunk + 1) * CHUNK_LENGTH),
  ).map((end) => end - 1);
  return tensor(steps, [chunks]);
}

/** What each step keeps of the states, and the states behind it. @returns `[batch, length, channels, state]` both */
function run({ x, step, a, b }: SelectiveScanInputs): { decay: Tensor; states: Tensor } {
  const decay = exp(mul(expandDims(step, 3), a)); // [batch, length, channels, state]
  const update = mul(expandDims(mul(step, x), 3), expandDims(b, 2)); // [batch, length, channels, state]
  return { decay, states: linearScan(decay, update) };
}

/** By plain ops. @returns the output, and the states behind each chunk `[batch, chunks, state, channels]` */
export function selectiveScanReference(inputs: SelectiveScanInputs): Tensor[] {
  const { x, c, d } = inputs;
  const [, length]: readonly number[] = x.shape;
  const { states } = run(inputs);
  const read = sum(mul(states, expandDims(c, 2)), { axes: 3 }); // [batch, length, channels]
  const kept = gather(states, lastSteps(length), { axis: 1 }); // [batch, chunks, channels, state]
  return [d === undefined ? read : add(read, mul(x, d)), transpose(kept, [0, 1, 3, 2])];
}

/** What the backward pass needs; `dStates` is absent where nothing depends on the kept states. */
export type SelectiveScanGradientInputs = SelectiveScanInputs & {
  dOutput: Tensor;
  dStates: Tensor | undefined;
  states: Tensor;
};

/** The backward pass by plain ops: all states are computed again. @returns gradients of x, step, a, b, c and, if given, d */
export function selectiveScanGradientReference(inputs: SelectiveScanGradientInputs): Tensor[] {
  const { x, step, a, b, c, d, dOutput, dStates } = inputs;
  const [, length]: readonly number[] = x.shape;
  if (length === 0)
    return [x, step, a, b, c, ...(d === undefined ? [] : [d])].map(({ shape }) => zeros(shape));
  const { decay, states } = run(inputs);
  const wide = expandDims(dOutput, 3); // [batch, length, channels, 1]
  let reached = mul(wide, expandDims(c, 2)); // [batch, length, channels, state]
  if (dStates !== undefined)
    reached = indexAdd(reached, lastSteps(length), transpose(dStates, [0, 1, 3, 2]), { axis: 1 });
  const dUpdate = linearScan(shifted(decay, true), reached, { reverse: true });
  const dExponent = mul(mul(dUpdate, shifted(states, false)), decay);
  const dInput = sum(mul(dUpdate, expandDims(b, 2)), { axes: 3 }); // [batch, length, channels]
  const skipped = mul(dInput, step);
  return [
    d === undefined ? skipped : add(skipped, mul(dOutput, d)),
    add(mul(dInput, x), sum(mul(dExponent, a), { axes: 3 })), // [batch, length, channels]
    sum(mul(dExponent, expandDims(step, 3)), { axes: [0, 1] }), // [channels, state]
    sum(mul(dUpdate, expandDims(mul(step, x), 3)), { axes: 2 }), // [batch, length, state]
    sum(mul(states, wide), { axes: 2 }), // [batch, length, state]
    ...(d === undefined ? [] : [sum(mul(dOutput, x), { axes: [0, 1] })]), // [channels]
  ];
}
