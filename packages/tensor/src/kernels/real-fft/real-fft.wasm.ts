import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { WasmBackend } from "../../backends/wasm/backend.js";
import type { KernelCall } from "../define-kernel.js";
import { compiledEngine } from "../wasm-call.js";
import { type FftPlan, planFft, remember } from "./plan.js";
import type { RealFftAttributes } from "./real-fft-rows.js";

interface Tables {
  readonly plan: FftPlan;
  /** Everything that the kernel reads, one after the other. */
  readonly values: Float32Array;
  /** Where in `values` each table begins; 0 floats long where it is not needed. */
  readonly rotations: number;
  readonly chirp: number;
  readonly chirpSpectrum: number;
}

function makeTables(length: number): Tables {
  const even = length % 2 === 0;
  const plan = planFft(even ? length / 2 : length);
  const rotations = new Float64Array(even ? length + 2 : 0);
  for (let i = 0; i < rotations.length; i += 2) {
    const angle = (-Math.PI * i) / length;
    rotations.set([Math.cos(angle), Math.sin(angle)], i);
  }
  const { twiddles, chirp = new Float64Array(), chirpSpectrum = new Float64Array() } = plan;
  const parts = [twiddles, rotations, chirp, chirpSpectrum];
  const starts: number[] = [];
  let count = 0;
  for (const part of parts) {
    starts.push(count);
    count += part.length;
  }
  const values = new Float32Array(count);
  for (const [index, part] of parts.entries()) values.set(part, starts[index]);
  return { plan, values, rotations: starts[1], chirp: starts[2], chirpSpectrum: starts[3] };
}

const tablesOf = /* @__PURE__ */ remember(makeTables);

/** Puts the tables into working memory and runs one of the two kernels. */
function run(
  wasm: WasmBackend,
  name: "realFft" | "inverseRealFft",
  { input, output, rows }: { input: TensorInfo; output: TensorInfo; rows: number },
  { length, scale, doubled }: RealFftAttributes,
): TensorInfo {
  const { plan, values, rotations, chirp, chirpSpectrum } = tablesOf(length);
  const { passSize, radices } = plan;
  const [from, to] = [wasm.pointer(input), wasm.pointer(output)];
  const tableBytes = Math.ceil((values.length * 4) / 64) * 64;
  const tables = wasm.scratch(tableBytes + wasm.exports.fftBytes(passSize) * wasm.runtime.pool.threads);
  wasm.runtime.float32.set(values, tables / 4);
  for (const [pass, radix] of radices.entries()) wasm.exports.setRadix(pass, radix);
  const at = (start: number): number => tables + 4 * start;
  wasm.exports[name](
    from,
    to,
    rows,
    length,
    passSize,
    radices.length,
    tables,
    at(rotations),
    plan.chirp === undefined ? 0 : at(chirp),
    plan.chirp === undefined ? 0 : at(chirpSpectrum),
    tables + tableBytes,
    scale,
    doubled ? 2 * scale : scale,
  );
  return output;
}

export function realFftWasm(call: KernelCall<RealFftAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { x } = call.inputs;
  const [rows, length]: readonly number[] = x.shape;
  const output = wasm.allocateOutput([rows, Math.floor(length / 2) + 1, 2]);
  return run(wasm, "realFft", { input: x, output, rows }, call.attrs);
}

export function inverseRealFftWasm(call: KernelCall<RealFftAttributes>): TensorInfo | null {
  const wasm = compiledEngine(call);
  if (wasm === undefined) return null;
  const { x } = call.inputs;
  const [rows]: readonly number[] = x.shape;
  const output = wasm.allocateOutput([rows, call.attrs.length]);
  return run(wasm, "inverseRealFft", { input: x, output, rows }, call.attrs);
}
