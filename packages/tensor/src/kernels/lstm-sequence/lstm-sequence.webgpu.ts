import type { TensorInfo } from "@tensorflow/tfjs-core";
import { gpuBackend } from "../../backends/webgpu/backend.js";
import { dispatch, u32 } from "../../backends/webgpu/dispatch.js";
import { wgslFunctions } from "../../backends/webgpu/kernels/wgsl.js";
import { limitsOf } from "../../backends/webgpu/limits.js";
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
import type { LstmSequenceAttributes } from "./lstm-sequence.js";

/** The chain of a batch of short states; wider ones are for the reference. */
export function lstmSequenceWebgpu({
  inputs,
  attrs: { reverse },
  backend,
}: KernelCall<LstmSequenceAttributes>): TensorInfo[] | null {
  const { inputGates, hiddenWeight, hidden, cell } = inputs;
  const [length, batch, width]: readonly number[] = inputGates.shape;
  const size = width / 4;
  if (!isShortChain(length, batch, size)) return null;
  const weight = turned(backend, hiddenWeight);
  const states = { shape: [length, batch, size], dtype: "float32" } as const;
  const outputs = dispatch(backend, {
    name: "LSTMSequence",
    variant: String(size),
    inputs: { inputGates, weight, hidden, cell },
    outputs: { hiddens: states, cells: states, gates: { shape: [length, batch, width], dtype: "float32" } },
    uniforms: { length: u32(length), batch: u32(batch), reverse: u32(Number(reverse)) },
    workgroupSize: CHAIN_THREADS,
    groups: batch,
    declarations: () => `${wgslFunctions(["sigmoid", "tanh"])}
var<workgroup> state: array<f32, ${size}>;
var<workgroup> memory: array<f32, ${size}>;
var<workgroup> activated: array<f32, ${width}>;`,
    body: () => `
${eachOf("unit", size, `state[unit] = hidden[group * ${size}u + unit]; memory[unit] = cell[group * ${size}u + unit];`)}
workgroupBarrier();
${eachStep(`
  ${eachOf(
    "row",
    width,
    `var total = 0.0;
    for (var unit = 0u; unit < ${size}u; unit++) { total += state[unit] * weight[unit * ${width}u + row]; }
    total += inputGates[at * ${width}u + row];
    var gate = 0.0;
    if (row / ${size}u == 2u) { gate = tanhOf(total); } else { gate = sigmoidOf(total); }
    activated[row] = gate;
    gates[at * ${width}u + row] = gate;`,
  )}
  workgroupBarrier();
  ${eachOf(
    "unit",
    size,
    `let next = activated[${size}u + unit] * memory[unit] + activated[unit] * activated[${2 * size}u + unit];
    let shown = activated[${3 * size}u + unit] * tanhOf(next);
    memory[unit] = next;
    state[unit] = shown;
    cells[at * ${size}u + unit] = next;
    hiddens[at * ${size}u + unit] = shown;`,
  )}
  workgroupBarrier();`)}`,
  });
  backend.disposeData(weight.dataId);
  return outputs;
}

/** Tensors that the backward chain binds where the loss depends on the cells too. */
const TENSORS_WITH_CELLS = 9;

/** The backward chain, likewise; gradients of gates (second derivatives) are for the reference. */
export function lstmSequenceGradientWebgpu({
  inputs,
  attrs: { reverse },
  backend,
}: KernelCall<LstmSequenceAttributes>): TensorInfo[] | null {
  const { dHiddens, gates, cells, cell, hiddenWeight } = inputs;
  const { dCells, dGates } = inputs as Record<string, TensorInfo | undefined>;
  const [length, batch, width]: readonly number[] = gates.shape;
  const size = width / 4;
  if (dGates !== undefined || !isShortChain(length, batch, size)) return null;
  const { maxStorageBuffersPerShaderStage } = limitsOf(gpuBackend(backend).device);
  if (dCells !== undefined && maxStorageBuffersPerShaderStage < TENSORS_WITH_CELLS) return null;
  const state = { shape: [batch, size], dtype: "float32" } as const;
  return dispatch(backend, {
    name: "LSTMSequenceGradient",
    variant: String(size),
    inputs: { dHiddens, gates, cells, cell, hiddenWeight, ...(dCells === undefined ? {} : { dCells }) },
    outputs: {
      gradients: { shape: [length, batch, width], dtype: "float32" },
      dHidden: state,
      dCell: state,
    },
    uniforms: { length: u32(length), batch: u32(batch), reverse: u32(Number(reverse)) },
    workgroupSize: CHAIN_THREADS,
    groups: batch,
    declarations: () => `${wgslFunctions(["tanh"])}
var<workgroup> carried: array<f32, ${size}>;
var<workgroup> carriedCell: array<f32, ${size}>;
var<workgroup> slopes: array<f32, ${width}>;${flowBackMemory(size)}`,
    body: () => `
${eachOf("unit", size, "carried[unit] = 0.0; carriedCell[unit] = 0.0;")}
workgroupBarrier();
${eachStep(
  `${eachOf(
    "unit",
    size,
    `let place = at * ${size}u + unit;
    let gate = at * ${width}u + unit;
    let input = gates[gate];
    let forget = gates[gate + ${size}u];
    let candidate = gates[gate + ${2 * size}u];
    let output = gates[gate + ${3 * size}u];
    let squashed = tanhOf(cells[place]);
    let dShown = dHiddens[place] + carried[unit];
    let dNext = carriedCell[unit]${dCells === undefined ? "" : " + dCells[place]"} + dShown * output * (1.0 - squashed * squashed);
    ${beforeStep("cell", "cells", size)}
    let dInput = dNext * candidate * input * (1.0 - input);
    let dForget = dNext * before * forget * (1.0 - forget);
    let dCandidate = dNext * input * (1.0 - candidate * candidate);
    let dOutput = dShown * squashed * output * (1.0 - output);
    slopes[unit] = dInput;
    slopes[${size}u + unit] = dForget;
    slopes[${2 * size}u + unit] = dCandidate;
    slopes[${3 * size}u + unit] = dOutput;
    gradients[gate] = dInput;
    gradients[gate + ${size}u] = dForget;
    gradients[gate + ${2 * size}u] = dCandidate;
    gradients[gate + ${3 * size}u] = dOutput;
    carriedCell[unit] = dNext * forget;`,
  )}${flowBack(size, width)}`,
  true,
)}
${eachOf("unit", size, `dHidden[group * ${size}u + unit] = carried[unit]; dCell[group * ${size}u + unit] = carriedCell[unit];`)}`,
  });
}
