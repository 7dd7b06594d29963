import { expect, it } from "vitest";
import { useDevice } from "../../device.js";
import { dispose, tidy } from "../../memory.js";
import { maxPool2dWithIndices } from "../../ops/max-pool-indices.js";
import { argMax, argMin } from "../../ops/reduce.js";
import { read, tensor } from "../../tensor.js";
import { randomInput, randomStream } from "../../testing/wasm-kernels.js";

it("maxima of windows and the largest integers lie where cpu finds them", async () => {
  const random = randomStream(10);
  const special = [Number.NaN, -Infinity, Infinity, 0, -0, 1];
  const images = [1, 3, 4, 9].map((channels) => {
    const image = randomInput(random, [2, 7, 6, channels]);
    for (let i = 0; i < image.values.length; i += 5) image.values[i] = special[i % special.length];
    return image;
  });
  const numbers = randomInput(random, [3, 37, 5], "int32");
  const places = async (device: "cpu" | "wasm"): Promise<number[][]> => {
    await useDevice(device);
    const made = tidy(() => [
      ...images.flatMap(({ values, shape }) => {
        const x = tensor(values, shape);
        const overlapping = { kernelSize: 3, stride: 2, padding: 1, dilation: 2 };
        return [overlapping, { kernelSize: [2, 3] }].map(
          (options) => maxPool2dWithIndices(x, options).indices,
        );
      }),
      ...[0, 1, 2].flatMap((axis) => {
        const x = tensor(numbers.values, numbers.shape, "int32");
        return [argMax(x, { axis }), argMin(x, { axis })];
      }),
    ]);
    const values = await Promise.all(made.map(async (each) => [...(await read(each))]));
    dispose(made);
    return values;
  };
  const expected = await places("cpu");
  expect(await places("wasm")).toEqual(expected);
});
