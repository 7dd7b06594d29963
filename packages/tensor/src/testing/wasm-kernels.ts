import { findBackend, getKernel, type KernelBackend, type TensorInfo } from "@tensorflow/tfjs-core";
import { expect } from "vitest";
import type { WasmBackend } from "../backends/wasm/backend.js";
import { allocate, type DType, type TypedArray } from "../dtype.js";
import { sizeOf } from "../shape.js";
import { testEngineStarted } from "./test-engine.js";

await testEngineStarted;

/** A host-side input of a kernel. */
export interface HostInput {
  readonly shape: number[];
  readonly dtype: DType;
  readonly values: TypedArray;
}

/** A repeatable stream of numbers in [0, 1): test inputs only. */
export function randomStream(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

/** Values of `shape` between −1 and 1, or integers between −20 and 20, or booleans. */
export function randomInput(random: () => number, shape: number[], dtype: DType = "float32"): HostInput {
  const values = allocate(dtype, sizeOf(shape));
  for (let i = 0; i < values.length; i++)
    values[i] =
      dtype === "float32"
        ? random() * 2 - 1
        : dtype === "int32"
          ? Math.floor(random() * 41) - 20
          : random() < 0.5
            ? 0
            : 1;
  return { shape, dtype, values };
}

/** The wasm backend, after `useDevice("wasm")`. */
export function wasmBackend(): WasmBackend {
  return findBackend("ai-wasm") as unknown as WasmBackend;
}

/** What a stock kernel gives on one backend, its inputs and outputs freed. */
export function runKernel(
  backendName: "cpu" | "ai-wasm",
  kernelName: string,
  inputs: Record<string, HostInput> | HostInput[],
  attrs: object,
): HostInput[] {
  const backend = findBackend(backendName) as KernelBackend & { disposeData(dataId: object): boolean };
  const infos: Record<string, TensorInfo> = Array.isArray(inputs) ? ([] as never) : {};
  for (const [name, { shape, dtype, values }] of Object.entries(inputs))
    infos[name] = { dataId: backend.write(values.slice(), shape, dtype), shape, dtype };
  const outputs = [
    getKernel(kernelName, backendName).kernelFunc({ inputs: infos, attrs: attrs as never, backend }),
  ].flat();
  const results = outputs.map(({ dataId, shape, dtype }) => ({
    shape,
    dtype: dtype as DType,
    values: (backend.readSync(dataId) as TypedArray).slice(),
  }));
  for (const { dataId } of [...outputs, ...Object.values(infos)]) backend.disposeData(dataId);
  return results;
}

/** Fails unless a kernel gives on wasm what it gives on cpu: shapes, dtypes, values within the tolerance, NaN where NaN is. */
export function expectSameAsCpu(
  kernelName: string,
  inputs: Record<string, HostInput> | HostInput[],
  attrs: object,
  { relative = 1e-5, absolute = 1e-5 }: { relative?: number; absolute?: number } = {},
): void {
  const expected = runKernel("cpu", kernelName, inputs, attrs);
  const actual = runKernel("ai-wasm", kernelName, inputs, attrs);
  expectSameBits(kernelName, inputs, attrs, actual);
  expect(actual.length).toBe(expected.length);
  actual.forEach((output, index) => {
    const what = `${kernelName} ${JSON.stringify(Object.values(inputs).map(({ shape }) => shape))} ${JSON.stringify(attrs)}`;
    expect({ what, shape: output.shape, dtype: output.dtype }).toEqual({
      what,
      shape: expected[index].shape,
      dtype: expected[index].dtype,
    });
    const wrong = firstDifference(output.values, expected[index].values, relative, absolute);
    expect({ what, wrong }).toEqual({ what, wrong: undefined });
  });
}

/** Fails unless a kernel whose every job is cut between the threads there are gives the very same bits. */
function expectSameBits(
  kernelName: string,
  inputs: Record<string, HostInput> | HostInput[],
  attrs: object,
  expected: HostInput[],
): void {
  const { pool } = wasmBackend().runtime;
  if (pool.threads === 1) return;
  const { costs } = pool;
  pool.setCosts({ serialBelow: 0, wakeAbove: 0 });
  const cut = runKernel("ai-wasm", kernelName, inputs, attrs);
  pool.setCosts(costs);
  cut.forEach(({ values }, index) => {
    const [a, b] = [values, expected[index].values].map(
      ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
    );
    const at = a.findIndex((byte, position) => byte !== b[position]);
    const what = `${kernelName} ${JSON.stringify(Object.values(inputs).map(({ shape }) => shape))} ${JSON.stringify(attrs)}`;
    expect({ what, differentByte: at }).toEqual({ what, differentByte: -1 });
  });
}

function firstDifference(
  actual: TypedArray,
  expected: TypedArray,
  relative: number,
  absolute: number,
): string | undefined {
  if (actual.length !== expected.length) return `${actual.length} values, not ${expected.length}`;
  for (let i = 0; i < expected.length; i++) {
    const [a, b] = [actual[i], expected[i]];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    if (!(Math.abs(a - b) <= absolute + relative * Math.abs(b)) || !Number.isFinite(b))
      return `at ${i}: ${a}, not ${b}`;
  }
  return undefined;
}
