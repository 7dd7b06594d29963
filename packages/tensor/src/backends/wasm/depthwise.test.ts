import { beforeAll, expect, it } from "vitest";
import { grad } from "../../autograd.js";
import { useDevice } from "../../device.js";
import type { TypedArray } from "../../dtype.js";
import { dispose } from "../../memory.js";
import { mul } from "../../ops/arithmetic.js";
import { conv2d } from "../../ops/conv.js";
import { sum } from "../../ops/reduce.js";
import { square } from "../../ops/unary.js";
import { read, tensor } from "../../tensor.js";
import { randomInput, randomStream } from "../../testing/wasm-kernels.js";
import { expectSameOnThreads } from "../../testing/wasm-threads.js";

beforeAll(async () => {
  await useDevice("cpu");
  await useDevice("wasm");
});

it("depthwise convolution and its gradients equal the host's loops on random geometries", async () => {
  const random = randomStream(12);
  const pick = <T>(...from: T[]): T => from[Math.floor(random() * from.length)];
  for (let round = 0; round < 30; round++) {
    const channels = pick(2, 3, 4, 6, 9, 16);
    const x = randomInput(random, [pick(1, 2), pick(5, 9), pick(9, 13), channels]);
    const filter = randomInput(random, [pick(1, 2, 3), pick(1, 2, 3, 5), 1, channels * pick(1, 1, 2, 3)]);
    const options = {
      groups: channels,
      stride: [pick(1, 2), pick(1, 1, 2, 3)],
      dilation: [pick(1, 2), pick(1, 1, 1, 2)],
      padding: [pick(0, 1, 2), pick(0, 1)],
    };
    const results: TypedArray[][] = [];
    for (const device of ["cpu", "wasm"] as const) {
      await useDevice(device);
      const [image, taps] = [x, filter].map(({ values, shape }) => tensor(values, shape));
      const y = conv2d(image, taps, options);
      const weights = tensor(randomInput(randomStream(round), y.shape).values, y.shape);
      const gradients = grad((a, b) => sum(mul(conv2d(a, b, options), weights)), [image, taps]);
      results.push(await Promise.all([y, ...gradients].map(read)));
      dispose([image, taps, y, weights, gradients]);
    }
    results[0].forEach((expected, output) => {
      expected.forEach((value, i) => {
        expect(
          Math.abs(results[1][output][i] - value),
          `${JSON.stringify(options)} ${output} ${i}`,
        ).toBeLessThan(1e-5);
      });
    });
  }
});

it("gives the same bits on any number of threads", async () => {
  await useDevice("wasm");
  const random = randomStream(3);
  const cases = [
    { kernel: [3, 3], stride: 1, channels: 18 },
    { kernel: [3, 3], stride: 2, channels: 8 },
    { kernel: [5, 5], stride: 1, channels: 7 },
    { kernel: [2, 5], stride: 2, channels: 12 },
    { kernel: [1, 7], stride: 1, channels: 4 },
  ].map(({ kernel, stride, channels }) => ({
    x: randomInput(random, [2, 9, 14, channels]),
    filter: randomInput(random, [...kernel, 1, channels]),
    options: { groups: channels, stride, padding: 1 },
  }));
  await expectSameOnThreads(async () => {
    const results: TypedArray[] = [];
    for (const { x, filter, options } of cases) {
      const [image, taps] = [x, filter].map(({ values, shape }) => tensor(values, shape));
      const y = conv2d(image, taps, options);
      const gradients = grad((a, b) => sum(square(conv2d(a, b, options))), [image, taps]);
      results.push(...(await Promise.all([y, ...gradients].map(read))));
      dispose([image, taps, y, gradients]);
    }
    return results;
  });
});
