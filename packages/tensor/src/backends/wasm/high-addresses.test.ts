import { beforeAll, describe, expect, it } from "vitest";
import { useDevice } from "../../device.js";
import { expectSameAsCpu, randomInput, randomStream, wasmBackend } from "../../testing/wasm-kernels.js";

const GIB = 2 ** 30;

beforeAll(async () => {
  await useDevice("cpu");
  await useDevice("wasm");
});

/** Addresses above 2 GiB are negative as 32-bit integers. */
describe("tensors above 2 GiB", () => {
  it("compute the same as below", () => {
    const { allocator } = wasmBackend().runtime;
    // what is free below is taken, then 2.25 GiB that are never touched: the system gives no memory for them
    const taken: number[] = [];
    while (allocator.fragmentation().freeBytes > 0)
      taken.push(allocator.allocate(allocator.fragmentation().largestBytes));
    taken.push(allocator.allocate(2.25 * GIB));
    const random = randomStream(1);
    try {
      const high = allocator.allocate(2 ** 20);
      expect(high).toBeGreaterThan(2 * GIB);
      allocator.release(high);
      const image = randomInput(random, [2, 7, 7, 5]);
      const filter = randomInput(random, [3, 3, 5, 9]);
      const convolution = { strides: [1, 1], pad: "same", dataFormat: "NHWC", dilations: [1, 1] };
      const window = { filterSize: [2, 2], strides: [2, 2], pad: "valid" };
      const dy = randomInput(random, [2, 7, 7, 9]);
      const a = randomInput(random, [3, 20, 330]);
      expectSameAsCpu(
        "BatchMatMul",
        { a, b: randomInput(random, [3, 330, 17]) },
        { transposeA: false, transposeB: false },
      );
      expectSameAsCpu("Conv2D", { x: image, filter }, convolution);
      expectSameAsCpu("Conv2DBackpropInput", { dy, filter }, { ...convolution, inputShape: image.shape });
      expectSameAsCpu(
        "Conv2DBackpropFilter",
        { x: image, dy },
        { ...convolution, filterShape: filter.shape },
      );
      expectSameAsCpu("MaxPool", { x: image }, window);
      expectSameAsCpu("MaxPoolGrad", { dy: randomInput(random, [2, 3, 3, 5]), input: image }, window);
      expectSameAsCpu("Add", { a, b: randomInput(random, [20, 1]) }, {});
      expectSameAsCpu("Exp", { x: a }, {});
      expectSameAsCpu("Sum", { x: a }, { axis: [1], keepDims: false });
      expectSameAsCpu("Softmax", { logits: a }, { dim: 2 });
      expectSameAsCpu("Transpose", { x: a }, { perm: [2, 0, 1] });
      expectSameAsCpu("Slice", { x: a }, { begin: [1, 2, 3], size: [2, 9, 11] });
      const indices = { shape: [2], dtype: "int32" as const, values: Int32Array.of(2, 0) };
      expectSameAsCpu("GatherV2", { x: a, indices }, { axis: 0, batchDims: 0 });
    } finally {
      for (const address of taken) allocator.release(address);
    }
  });
});
