import { beforeAll, expect, it } from "vitest";
import { grad } from "../../autograd.js";
import { useDevice } from "../../device.js";
import type { TypedArray } from "../../dtype.js";
import { dispose } from "../../memory.js";
import { mul } from "../../ops/arithmetic.js";
import { type ConvOptions, conv2d } from "../../ops/conv.js";
import { sum } from "../../ops/reduce.js";
import { square } from "../../ops/unary.js";
import { read, tensor } from "../../tensor.js";
import { randomInput, randomStream } from "../../testing/wasm-kernels.js";
import { expectSameOnThreads } from "../../testing/wasm-threads.js";

beforeAll(async () => {
  await useDevice("cpu");
  await useDevice("wasm");
});

const random = randomStream(21);
const pick = <T>(...from: T[]): T => from[Math.floor(random() * from.length)];

it("convolution and its gradients equal the host's on random geometries", async () => {
  for (let round = 0; round < 40; round++) {
    const groups = pick(1, 1, 2, 3);
    const each = pick(1, 2, 3, 4, 5, 8) + (groups > 1 ? 1 : 0);
    const x = randomInput(random, [pick(1, 2, 3), pick(7, 9, 12), pick(8, 11, 13), groups * each]);
    const filter = randomInput(random, [pick(1, 2, 3, 5), pick(1, 2, 3, 4, 5), each, groups * pick(1, 3, 4, 8, 9, 17)]); // biome-ignore format: one row
    const options: ConvOptions = {
      groups,
      stride: [pick(1, 2, 3), pick(1, 2, 3, 4)],
      dilation: [pick(1, 1, 2), pick(1, 1, 1, 2)],
      padding: [pick(0, 1, 2), pick(0, 1, 2)],
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
      const wrong = expected.findIndex((value, i) => !(Math.abs(results[1][output][i] - value) < 5e-5));
      const what = `${JSON.stringify([x.shape, filter.shape, options])} ${output}`;
      expect({ what, wrong }).toEqual({ what, wrong: -1 });
    });
  }
});

it("gives the same bits on any number of threads", async () => {
  await useDevice("wasm");
  const cases = [
    { x: [2, 20, 21, 1], filter: [5, 5, 1, 20], options: { bias: true } },
    { x: [1, 23, 20, 3], filter: [3, 3, 3, 9], options: { stride: 2, padding: 1, activation: "gelu" } },
    { x: [2, 21, 23, 6], filter: [3, 3, 6, 10], options: { stride: 2, padding: 1 } },
    { x: [1, 12, 13, 8], filter: [3, 3, 8, 12], options: { padding: 1, activation: "relu6" } },
    { x: [2, 9, 8, 12], filter: [3, 3, 4, 9], options: { groups: 3, padding: 1 } },
  ].map(({ x, filter, options: { bias, ...options } }) => ({
    x: randomInput(random, x),
    filter: randomInput(random, filter),
    bias: bias ? randomInput(random, [filter[3]]) : undefined,
    options: options as ConvOptions,
  }));
  await expectSameOnThreads(async () => {
    const results: TypedArray[] = [];
    for (const { x, filter, bias, options } of cases) {
      const [image, taps] = [x, filter].map(({ values, shape }) => tensor(values, shape));
      const shift = bias === undefined ? undefined : tensor(bias.values, bias.shape);
      const y = conv2d(image, taps, { ...options, bias: shift });
      const gradients = grad((a, b) => sum(square(conv2d(a, b, options))), [image, taps]);
      results.push(...(await Promise.all([y, ...gradients].map(read))));
      dispose([image, taps, y, gradients, ...(shift === undefined ? [] : [shift])]);
    }
    return results;
  });
});
