import { expect, it } from "vitest";
import { useDevice } from "../../device.js";
import { dispose, tidy } from "../../memory.js";
import { maxPool2dWithIndices } from "../../ops/max-pool-indices.js";
import { argMax, argMin } from "../../ops/reduce.js";
import { norm } from "../../ops/statistics.js";
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

it("norms of rows are those of cpu, NaN and what overflows included", async () => {
  const random = randomStream(12);
  const rows = randomInput(random, [6, 2, 37]);
  rows.values[3] = Number.NaN;
  rows.values[80] = -Infinity;
  rows.values[150] = -3e38;
  rows.values.fill(-0, 4 * 74, 5 * 74);
  const norms = async (device: "cpu" | "wasm"): Promise<number[]> => {
    await useDevice(device);
    const made = tidy(() => {
      const x = tensor(rows.values, rows.shape);
      return [{ order: 2 }, { order: Infinity }].map((options) => norm(x, { ...options, axes: [1, 2] }));
    });
    const values = await Promise.all(made.map(async (each) => [...(await read(each))]));
    dispose(made);
    return values.flat();
  };
  const expected = await norms("cpu");
  const actual = await norms("wasm");
  expect(expected.slice(0, 6)).toEqual([
    Number.NaN,
    Infinity,
    Infinity,
    expect.any(Number),
    0,
    expect.any(Number),
  ]);
  expected.forEach((value, i) => {
    if (Number.isFinite(value)) expect(Math.abs(actual[i] - value)).toBeLessThanOrEqual(1e-6 * value);
    else expect(actual[i]).toBe(value);
  });
});
