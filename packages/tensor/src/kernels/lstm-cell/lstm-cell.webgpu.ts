import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import type { KernelCall } from "../define-kernel.js";

const declarations = (): string => wgslFunctions(["sigmoid", "tanh"]);

/** WGSL: the gates of a thread's element after their activations, and the new cell state. */
const ACTIVATE = `
let gate = index / uniforms.size * 4u * uniforms.size + index % uniforms.size;
let input = sigmoidOf(gates[gate]);
let forget = sigmoidOf(gates[gate + uniforms.size]);
let candidate = tanhOf(gates[gate + 2u * uniforms.size]);
let output = sigmoidOf(gates[gate + 3u * uniforms.size]);
let next = forget * cell[index] + input * candidate;`;

export function lstmCellWebgpu({ inputs, backend }: KernelCall): TensorInfo[] {
  const { shape, size: threads } = inputs.cell;
  return dispatch(backend, {
    name: "LSTMCell",
    inputs,
    outputs: { newHidden: { shape, dtype: "float32" }, newCell: { shape, dtype: "float32" } },
    uniforms: { size: u32((shape as readonly number[])[1]) },
    threads,
    declarations,
    body: () => `${ACTIVATE}
newCell[index] = next;
newHidden[index] = output * tanhOf(next);`,
  });
}

export function lstmCellGradientWebgpu({ inputs, backend }: KernelCall): TensorInfo[] {
  const { gates, cell } = inputs;
  return dispatch(backend, {
    name: "LSTMCellGradient",
    inputs,
    outputs: {
      dGates: { shape: gates.shape, dtype: "float32" },
      dOldCell: { shape: cell.shape, dtype: "float32" },
    },
    uniforms: { size: u32((cell.shape as readonly number[])[1]) },
    threads: cell.size,
    declarations,
    body: () => `${ACTIVATE}
let squashed = tanhOf(next);
let dNext = dCell[index] + dHidden[index] * output * (1.0 - squashed * squashed);
dGates[gate] = dNext * candidate * input * (1.0 - input);
dGates[gate + uniforms.size] = dNext * cell[index] * forget * (1.0 - forget);
dGates[gate + 2u * uniforms.size] = dNext * input * (1.0 - candidate * candidate);
dGates[gate + 3u * uniforms.size] = dHidden[index] * squashed * output * (1.0 - output);
dOldCell[index] = dNext * forget;`,
  });
}
