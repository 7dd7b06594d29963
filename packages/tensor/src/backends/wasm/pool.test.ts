import { beforeAll, expect, it } from "vitest";
import { grad } from "../../autograd.js";
import { useDevice } from "../../device.js";
import type { TypedArray } from "../../dtype.js";
import { dispose } from "../../memory.js";
import { avgPool1d, avgPool2d, avgPool3d, maxPool1d, maxPool2d, maxPool3d } from "../../ops/pool.js";
import { sum } from "../../ops/reduce.js";
import { square } from "../../ops/unary.js";
import { read, type Tensor, tensor } from "../../tensor.js";
import { randomInput, randomStream } from "../../testing/wasm-kernels.js";
import { expectSameOnThreads } from "../../testing/wasm-threads.js";

beforeAll(async () => {
  await useDevice("cpu");
  await useDevice("wasm");
});

type Pool = (x: Tensor) => Tensor;

const random = randomStream(4);
const CASES: [shape: number[], pool: Pool][] = [
  [[2, 9, 11, 21], (x) => maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1 })],
  [[17, 6, 5, 3], (x) => maxPool2d(x, { kernelSize: 2, ceilMode: true })],
  [[1, 9, 11, 40], (x) => maxPool2d(x, { kernelSize: [2, 3], stride: 1, dilation: 2 })],
  [[2, 9, 11, 18], (x) => avgPool2d(x, { kernelSize: 3, stride: 2, padding: 1, ceilMode: true })],
  [[1, 9, 11, 18], (x) => avgPool2d(x, { kernelSize: 3, stride: 1, padding: 1, countIncludePad: false })],
  [[3, 13, 6], (x) => maxPool1d(x, { kernelSize: 3, stride: 2, padding: 1 })],
  [[3, 13, 6], (x) => avgPool1d(x, { kernelSize: 4, padding: 2 })],
  [[2, 5, 6, 7, 4], (x) => maxPool3d(x, { kernelSize: 2, stride: [1, 2, 2] })],
  [[2, 5, 6, 7, 4], (x) => avgPool3d(x, { kernelSize: [2, 3, 2], stride: 2, padding: [1, 1, 0] })],
];

it("equals the host's loops, with gradients and NaN", async () => {
  for (const [shape, pool] of CASES) {
    const { values } = randomInput(random, shape);
    values[values.length >> 1] = Number.NaN;
    const results: TypedArray[][] = [];
    for (const device of ["cpu", "wasm"] as const) {
      await useDevice(device);
      const x = tensor(values, shape);
      const y = pool(x);
      const [dx] = grad((input) => sum(pool(input)), [x]);
      results.push(await Promise.all([y, dx].map(read)));
      dispose([x, y, dx]);
    }
    results[0].forEach((expected, output) => {
      const wrong = expected.findIndex((value, i) => {
        const actual = results[1][output][i];
        return !(Math.abs(actual - value) < 1e-5 || (Number.isNaN(actual) && Number.isNaN(value)));
      });
      expect({ shape, output, wrong }).toEqual({ shape, output, wrong: -1 });
    });
  }
});

it("gives the same bits on any number of threads", async () => {
  await useDevice("wasm");
  const inputs = CASES.map(([shape]) => randomInput(random, shape));
  await expectSameOnThreads(async () => {
    const results: TypedArray[] = [];
    for (const [position, [, pool]] of CASES.entries()) {
      const x = tensor(inputs[position].values, inputs[position].shape);
      const y = pool(x);
      const [dx] = grad((input) => sum(square(pool(input))), [x]);
      results.push(...(await Promise.all([y, dx].map(read))));
      dispose([x, y, dx]);
    }
    return results;
  });
});
