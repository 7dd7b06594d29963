import type { TensorInfo } from "@tensorflow/tfjs-core";
import { dispatch, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import type { KernelCall } from "../define-kernel.js";
import {
  beforeStep,
  CHAIN_THREADS,
  eachOf,
  eachStep,
  flowBack,
  flowBackMemory,
  isShortChain,
  turned,
} from "../webgpu-chain.js";
import type { GruSequenceAttributes } from "./gru-sequence.js";

/** The chain of a batch of short states; wider ones are for the reference. */
export function gruSequenceWebgpu({
  inputs,
  attrs: { reverse },
  backend,
}: KernelCall<GruSequenceAttributes>): TensorInfo[] | null {
  const { inputGates, hiddenWeight, hidden } = inputs;
  const { hiddenBias } = inputs as Record<string, TensorInfo | undefined>;
  const [length, batch, width]: readonly number[] = inputGates.shape;
  const size = width / 3;
  if (!isShortChain(length, batch, size)) return null;
  const weight = turned(backend, hiddenWeight);
  const outputs = dispatch(backend, {
    name: "GRUSequence",
    variant: String(size),
    inputs: { inputGates, weight, hidden, ...(hiddenBias === undefined ? {} : { hiddenBias }) },
    outputs: {
      hiddens: { shape: [length, batch, size], dtype: "float32" },
      gates: { shape: [length, batch, 4 * size], dtype: "float32" },
    },
    uniforms: { length: u32(length), batch: u32(batch), reverse: u32(Number(reverse)) },
    workgroupSize: CHAIN_THREADS,
    groups: batch,
    declarations: () => `${wgslFunctions(["sigmoid", "tanh"])}
var<workgroup> state: array<f32, ${size}>;
var<workgroup> products: array<f32, ${width}>;`,
    body: () => `
${eachOf("unit", size, `state[unit] = hidden[group * ${size}u + unit];`)}
workgroupBarrier();
${eachStep(`
  ${eachOf(
    "row",
    width,
    `var total = 0.0;
    for (var unit = 0u; unit < ${size}u; unit++) { total += state[unit] * weight[unit * ${width}u + row]; }
    products[row] = total${hiddenBias === undefined ? "" : " + hiddenBias[row]"};`,
  )}
  workgroupBarrier();
  ${eachOf(
    "unit",
    size,
    `let given = at * ${width}u + unit;
    let reset = sigmoidOf(inputGates[given] + products[unit]);
    let update = sigmoidOf(inputGates[given + ${size}u] + products[${size}u + unit]);
    let recalled = products[${2 * size}u + unit];
    let candidate = tanhOf(inputGates[given + ${2 * size}u] + reset * recalled);
    let next = (1.0 - update) * candidate + update * state[unit];
    let gate = at * ${4 * size}u + unit;
    gates[gate] = reset;
    gates[gate + ${size}u] = update;
    gates[gate + ${2 * size}u] = candidate;
    gates[gate + ${3 * size}u] = recalled;
    state[unit] = next;
    hiddens[at * ${size}u + unit] = next;`,
  )}
  workgroupBarrier();`)}`,
  });
  backend.disposeData(weight.dataId);
  return outputs;
}

/** The backward chain, likewise; gradients of gates (second derivatives) are for the reference. */
export function gruSequenceGradientWebgpu({
  inputs,
  attrs: { reverse },
  backend,
}: KernelCall<GruSequenceAttributes>): TensorInfo[] | null {
  const { dHiddens, gates, hiddens, hidden, hiddenWeight } = inputs;
  const [length, batch, size]: readonly number[] = hiddens.shape;
  const width = 3 * size;
  const { dGates } = inputs as Record<string, TensorInfo | undefined>;
  if (dGates !== undefined || !isShortChain(length, batch, size)) return null;
  return dispatch(backend, {
    name: "GRUSequenceGradient",
    variant: String(size),
    inputs: { dHiddens, gates, hiddens, hidden, hiddenWeight },
    outputs: {
      dInputs: { shape: [length, batch, width], dtype: "float32" },
      dRecurrents: { shape: [length, batch, width], dtype: "float32" },
      dFirst: { shape: [batch, size], dtype: "float32" },
    },
    uniforms: { length: u32(length), batch: u32(batch), reverse: u32(Number(reverse)) },
    workgroupSize: CHAIN_THREADS,
    groups: batch,
    declarations: () => `
var<workgroup> carried: array<f32, ${size}>;
var<workgroup> straight: array<f32, ${size}>;
var<workgroup> slopes: array<f32, ${width}>;${flowBackMemory(size)}`,
    body: () => `
${eachOf("unit", size, "carried[unit] = 0.0;")}
workgroupBarrier();
${eachStep(
  `${eachOf(
    "unit",
    size,
    `let place = at * ${size}u + unit;
    let gate = at * ${4 * size}u + unit;
    let reset = gates[gate];
    let update = gates[gate + ${size}u];
    let candidate = gates[gate + ${2 * size}u];
    let recalled = gates[gate + ${3 * size}u];
    ${beforeStep("hidden", "hiddens", size)}
    let dShown = dHiddens[place] + carried[unit];
    let dUpdate = dShown * (before - candidate) * update * (1.0 - update);
    let dCandidate = dShown * (1.0 - update) * (1.0 - candidate * candidate);
    let dReset = dCandidate * recalled * reset * (1.0 - reset);
    let first = at * ${width}u + unit;
    dInputs[first] = dReset;
    dInputs[first + ${size}u] = dUpdate;
    dInputs[first + ${2 * size}u] = dCandidate;
    dRecurrents[first] = dReset;
    dRecurrents[first + ${size}u] = dUpdate;
    dRecurrents[first + ${2 * size}u] = dCandidate * reset;
    slopes[unit] = dReset;
    slopes[${size}u + unit] = dUpdate;
    slopes[${2 * size}u + unit] = dCandidate * reset;
    straight[unit] = dShown * update;`,
  )}${flowBack(size, width, "straight[unit]")}`,
  true,
)}
${eachOf("unit", size, `dFirst[group * ${size}u + unit] = carried[unit];`)}`,
  });
}
