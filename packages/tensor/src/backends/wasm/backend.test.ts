import { getKernel } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { useDevice } from "../../device.js";
import { DeviceError, isAiError, KernelError } from "../../errors.js";
import { dispose, tidy } from "../../memory.js";
import { add } from "../../ops/arithmetic.js";
import { matMul } from "../../ops/matmul.js";
import { slice } from "../../ops/slice.js";
import { read, tensor, zeros } from "../../tensor.js";
import { wasmBackend } from "../../testing/wasm-kernels.js";
import { raiseVersion } from "../../versions.js";
import type { WasmExports } from "./exports.generated.js";
import { createRuntime } from "./runtime.js";

beforeAll(async () => {
  await useDevice("wasm");
});

/** Makes the memory grow: views of unshared memory are detached, those of shared memory get a new buffer. */
function grow(): void {
  const { memory, allocator, shared } = wasmBackend().runtime;
  const before = memory.buffer;
  const block = allocator.allocate(before.byteLength);
  allocator.release(block);
  expect(memory.buffer).not.toBe(before);
  if (!shared) expect(before.byteLength).toBe(0);
}

describe("WasmBackend", () => {
  it("keeps values and addresses when the memory grows", async () => {
    const backend = wasmBackend();
    const a = tensor([1, 2, 3, 4]);
    const pointer = backend.pointer(a);
    const sum = add(a, a);
    grow();
    expect(backend.pointer(a)).toBe(pointer);
    expect([...(await read(a))]).toEqual([1, 2, 3, 4]);
    // a JavaScript kernel on a heap tensor after growth
    const reversed = getKernel("Reverse", "ai-wasm").kernelFunc({
      inputs: { x: sum },
      attrs: { dims: [0] } as never,
      backend,
    });
    expect([...(backend.readSync((reversed as { dataId: object }).dataId) as Float32Array)]).toEqual([
      8, 6, 4, 2,
    ]);
    backend.disposeData((reversed as { dataId: object }).dataId);
    dispose([a, sum]);
  });

  it("hands out copies, never views of the heap", async () => {
    const backend = wasmBackend();
    const a = tensor([1, 2]);
    backend.pointer(a);
    const values = await read(a);
    values[0] = 9;
    expect([...(await read(a))]).toEqual([1, 2]);
    const part = slice(a, [0], [1]);
    a.dispose();
    tensor([7, 7, 7]).dispose();
    expect([...(await read(part))]).toEqual([1]);
    part.dispose();
  });

  it("gives every byte of the heap back, packed copies included", () => {
    const { runtime } = wasmBackend();
    const step = () =>
      tidy(() => {
        const a = add(zeros([33, 40]), 1);
        const b = add(zeros([40, 50]), 1);
        for (let i = 0; i < 4; i++) matMul(a, b);
      });
    step();
    const before = runtime.tensorBytes;
    for (let i = 0; i < 10; i++) step();
    expect(runtime.tensorBytes).toBe(before);
  });

  it("drops a packed copy when the data are updated in place", async () => {
    const backend = wasmBackend();
    const a = tensor([
      [1, 0],
      [0, 1],
    ]);
    const b = tensor([
      [1, 2],
      [3, 4],
    ]);
    for (let i = 0; i < 3; i++) matMul(a, b).dispose();
    const place = backend.pointer(b) >>> 2;
    backend.runtime.float32[place] = 5;
    raiseVersion(b);
    for (let i = 0; i < 3; i++) {
      const product = matMul(a, b);
      expect([...(await read(product))]).toEqual([5, 2, 3, 4]);
      product.dispose();
    }
    dispose([a, b]);
  });
});

/** Puts other functions in the place of compiled ones. */
function exchangeExports(functions: Partial<WasmExports>): () => void {
  const { runtime } = wasmBackend();
  const { exports } = runtime;
  runtime.exports = { ...exports, ...functions };
  return () => {
    runtime.exports = exports;
  };
}

describe("a kernel that throws half way", () => {
  it("leaves no half-packed copy to the next product", async () => {
    const values = Float32Array.from({ length: 12 * 16 }, (_, i) => Math.sin(i));
    const a = tensor(values.slice(0, 12 * 12), [12, 12]);
    const b = tensor(values, [12, 16]);
    const product = async () => {
      const output = matMul(a, b);
      const result = await read(output);
      output.dispose();
      return result;
    };
    const expected = await product();
    const restore = exchangeExports({
      packProduct() {
        throw new KernelError("a worker was lost");
      },
    });
    // the second use makes the copy
    expect(() => matMul(a, b)).toThrow("a worker was lost");
    restore();
    for (let use = 0; use < 2; use++) expect(await product()).toEqual(expected);
    dispose([a, b]);
  });
});

describe("useDevice", () => {
  it("keeps the engine, and refuses to change a running one", async () => {
    const backend = wasmBackend();
    const { relaxedSimd = false } = backend.runtime.options;
    const [first, second] = await Promise.all([useDevice("wasm"), useDevice("wasm", { relaxedSimd })]);
    expect(first.features).toContain("simd");
    expect(second.backend).toBe("ai-wasm");
    expect(wasmBackend()).toBe(backend);
    await expect(useDevice("wasm", { relaxedSimd: !relaxedSimd })).rejects.toThrow(
      `expected relaxedSimd ${relaxedSimd}`,
    );
  });
});

describe("createRuntime", () => {
  it("throws a DeviceError that says what to do at the limit, and goes on after it", async () => {
    const { allocator } = await createRuntime({ maximumPages: 64 });
    const block = allocator.allocate(2 ** 20);
    let error: unknown;
    try {
      allocator.allocate(2 ** 23);
    } catch (thrown) {
      error = thrown;
    }
    expect(isAiError(error) && error instanceof DeviceError).toBe(true);
    expect(String(error)).toMatch(/dispose tensors or compute in smaller batches/);
    allocator.release(block);
    expect(allocator.allocate(2 ** 20)).toBe(block);
  });

  it("takes the relaxed binary only when asked to, and it computes the same to rounding", async () => {
    const product = async (relaxedSimd: boolean) => {
      const runtime = await createRuntime({ relaxedSimd });
      const [a, b, c, packed] = [16, 32, 32, 256].map((floats) => runtime.allocator.allocate(floats * 4));
      for (let i = 0; i < 16; i++) runtime.float32[a / 4 + i] = Math.sin(i);
      for (let i = 0; i < 32; i++) runtime.float32[b / 4 + i] = Math.cos(i);
      runtime.exports.setProduct(a, b, c, 4, 8, 4, 4, 8, 8, 0, 0, 0, 0, packed, 0, 0);
      runtime.exports.packProduct();
      runtime.exports.multiply();
      return { relaxed: runtime.relaxedSimd, values: [...runtime.float32.slice(c / 4, c / 4 + 32)] };
    };
    const plain = await product(false);
    const relaxed = await product(true);
    expect(plain.relaxed).toBe(false);
    relaxed.values.forEach((value, i) => {
      expect(Math.abs(value - plain.values[i])).toBeLessThan(1e-6);
    });
  });
});
