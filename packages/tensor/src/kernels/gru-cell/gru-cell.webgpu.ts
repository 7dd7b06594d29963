import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import type { KernelCall } from "../define-kernel.js";

const declarations = (): string => wgslFunctions(["sigmoid", "tanh"]);

/** WGSL: the gates of a thread's element after their activations. */
const ACTIVATE = `
let gate = index / uniforms.size * 3u * uniforms.size + index % uniforms.size;
let reset = sigmoidOf(inputGates[gate] + hiddenGates[gate]);
let update = sigmoidOf(inputGates[gate + uniforms.size] + hiddenGates[gate + uniforms.size]);
let recalled = hiddenGates[gate + 2u * uniforms.size];
let candidate = tanhOf(inputGates[gate + 2u * uniforms.size] + reset * recalled);`;

export function gruCellWebgpu({ inputs, backend }: KernelCall): TensorInfo {
  const { shape, size: threads } = inputs.hidden;
  const [next] = dispatch(backend, {
    name: "GRUCell",
    inputs,
    outputs: { next: { shape, dtype: "float32" } },
    uniforms: { size: u32((shape as readonly number[])[1]) },
    threads,
    declarations,
    body: () => `${ACTIVATE}\nnext[index] = (1.0 - update) * candidate + update * hidden[index];`,
  });
  return next;
}

export function gruCellGradientWebgpu({ inputs, backend }: KernelCall): TensorInfo[] {
  const { inputGates, hidden } = inputs;
  return dispatch(backend, {
    name: "GRUCellGradient",
    inputs,
    outputs: {
      dInputGates: { shape: inputGates.shape, dtype: "float32" },
      dHiddenGates: { shape: inputGates.shape, dtype: "float32" },
      dHidden: { shape: hidden.shape, dtype: "float32" },
    },
    uniforms: { size: u32((hidden.shape as readonly number[])[1]) },
    threads: hidden.size,
    declarations,
    body: () => `${ACTIVATE}
let dUpdate = dy[index] * (hidden[index] - candidate) * update * (1.0 - update);
let dCandidate = dy[index] * (1.0 - update) * (1.0 - candidate * candidate);
let dReset = dCandidate * recalled * reset * (1.0 - reset);
dInputGates[gate] = dReset;
dHiddenGates[gate] = dReset;
dInputGates[gate + uniforms.size] = dUpdate;
dHiddenGates[gate + uniforms.size] = dUpdate;
dInputGates[gate + 2u * uniforms.size] = dCandidate;
dHiddenGates[gate + 2u * uniforms.size] = dCandidate * reset;
dHidden[index] = dy[index] * update;`,
  });
}
