import { beforeAll, expect, it } from "vitest";
import { grad } from "../../autograd.js";
import { useDevice } from "../../device.js";
import type { TypedArray } from "../../dtype.js";
import { dispose } from "../../memory.js";
import { mul } from "../../ops/arithmetic.js";
import { conv2d } from "../../ops/conv.js";
import { sum } from "../../ops/reduce.js";
import { read, tensor } from "../../tensor.js";
import { randomInput, randomStream } from "../../testing/wasm-kernels.js";

beforeAll(async () => {
  await useDevice("cpu");
  await useDevice("wasm");
});

it("depthwise convolution and its gradients equal the host's loops on random geometries", async () => {
  const random = randomStream(12);
  const pick = <T>(...from: T[]): T => from[Math.floor(random() * from.length)];
  for (let round = 0; round < 25; round++) {
    const channels = pick(2, 3, 4, 6, 9);
    const x = randomInput(random, [pick(1, 2), pick(5, 8), pick(4, 7), channels]);
    const filter = randomInput(random, [pick(1, 2, 3), pick(1, 3), 1, channels]);
    const options = {
      groups: channels,
      stride: [pick(1, 2), pick(1, 2, 3)],
      dilation: [pick(1, 2), 1],
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
