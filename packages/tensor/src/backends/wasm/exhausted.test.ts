import { beforeAll, describe, expect, it } from "vitest";
import { useDevice } from "../../device.js";
import { DeviceError } from "../../errors.js";
import { WasmBackend } from "./backend.js";
import { WASM_KERNELS } from "./kernels/index.js";
import type { WasmCall } from "./kernels/kernel.js";
import { createRuntime } from "./runtime.js";

const MIB = 2 ** 20;
const SIZE = 768;

beforeAll(async () => {
  await useDevice("wasm");
});

/** An engine of 16 MiB with two matrices of 2.25 MiB, and the product of them as tfjs would call it. */
async function smallEngine() {
  const backend = new WasmBackend(await createRuntime({ maximumPages: 256 }));
  const values = Float32Array.from({ length: SIZE * SIZE }, (_, i) => ((i * 31) % 17) / 16);
  const matrix = () => ({
    dataId: backend.write(values, [SIZE, SIZE], "float32"),
    shape: [SIZE, SIZE],
    dtype: "float32" as const,
  });
  const call: WasmCall = {
    inputs: { a: matrix(), b: matrix() },
    attrs: { transposeA: false, transposeB: false },
    backend,
  };
  const multiply = () => {
    const output = backend.attempt(WASM_KERNELS.BatchMatMul, call) as { dataId: object };
    const result = backend.readSync(output.dataId) as Float32Array;
    backend.disposeData(output.dataId);
    return result;
  };
  return { backend, multiply };
}

/** `toEqual` takes seconds for so many. */
const isSame = (a: Float32Array, b: Float32Array) => a.length === b.length && a.every((x, i) => x === b[i]);

describe("a memory that is nearly full", () => {
  it("computes without a packed copy where there is no room for one", async () => {
    const { backend, multiply } = await smallEngine();
    const expected = multiply();
    const neighbour = backend.runtime.allocate(5 * MIB);
    // beside the neighbour, output and working memory fit, and no copy
    for (let use = 0; use < 2; use++) expect(isSame(multiply(), expected)).toBe(true);
    expect(backend.heap().packedBytes).toBe(0);
    backend.runtime.allocator.release(neighbour);
    multiply();
    expect(backend.heap().packedBytes).toBe(SIZE * SIZE * 4);
    expect(isSame(multiply(), expected)).toBe(true);
  });

  it("holds after a refused op what it held before, so that the advice of the error helps", async () => {
    const { backend, multiply } = await smallEngine();
    const expected = multiply();
    backend.runtime.allocate(64); // behind the workspace, which is given up
    const neighbour = backend.runtime.allocate(7.5 * MIB);
    const { tensorBytes } = backend.heap();
    for (let use = 0; use < 3; use++) {
      expect(multiply).toThrow(DeviceError);
      expect(backend.heap().tensorBytes).toBe(tensorBytes);
    }
    backend.runtime.allocator.release(neighbour);
    expect(isSame(multiply(), expected)).toBe(true);
  });

  it("gives up packed copies and working memory before it refuses", async () => {
    const { backend, multiply } = await smallEngine();
    const expected = multiply();
    multiply();
    const { packedBytes, workingBytes } = backend.heap();
    expect(packedBytes).toBe(SIZE * SIZE * 4);
    const large = backend.runtime.allocate(10.5 * MIB);
    expect(backend.heap()).toMatchObject({
      packedBytes: 0,
      workingBytes: workingBytes - SIZE * SIZE * 4,
    });
    backend.runtime.allocator.release(large);
    for (let use = 0; use < 3; use++) expect(isSame(multiply(), expected)).toBe(true);
  });
});
