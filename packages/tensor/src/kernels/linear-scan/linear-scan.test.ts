import { expect, it } from "vitest";
import { DTypeError, InputError, ShapeError } from "../../errors.js";
import { dispose } from "../../memory.js";
import { read, tensor, zeros } from "../../tensor.js";
import { describeKernel, randomHostTensor } from "../../testing/describe-kernel.js";
import { describeEachDevice } from "../../testing/devices.js";
import { linearScan, linearScanKernel } from "./linear-scan.js";

describeKernel(
  linearScanKernel,
  Object.fromEntries(
    (
      [
        ["one step", [2, 1, 3], false],
        ["a few channels", [2, 5, 3], false],
        ["backwards", [2, 6, 3], true],
        ["more than a strip", [1, 9, 7, 11], false],
        ["no channels", [3, 8], true],
        ["parts for a workgroup", [2, 70, 3], true],
      ] as const
    ).map(([name, shape, reverse]) => [
      name,
      {
        inputs: {
          factors: randomHostTensor(shape, { stream: "factors", scale: 0.7 }),
          increments: randomHostTensor(shape, { stream: "increments" }),
        },
        attrs: { reverse },
        // one step has no use for its factors
        gradient: shape[1] > 1,
      },
    ]),
  ),
);

describeEachDevice("linearScan", () => {
  it("is the recurrence, step by step", async () => {
    const [length, channels] = [37, 5];
    const a = randomHostTensor([1, length, channels], { stream: "a" }).values;
    const b = randomHostTensor([1, length, channels], { stream: "b" }).values;
    const expected = new Float64Array(length * channels);
    for (let i = 0; i < expected.length; i++)
      expected[i] = (i >= channels ? a[i] * expected[i - channels] : 0) + b[i];
    const factors = tensor(Float32Array.from(a), [1, length, channels]);
    const increments = tensor(Float32Array.from(b), [1, length, channels]);
    const result = linearScan(factors, increments);
    await expect(result).toBeCloseToTensor({
      shape: [1, length, channels],
      dtype: "float32",
      values: [...expected],
    });
    dispose([factors, increments, result]);
  });

  it("keeps a state of 0 where many factors multiply to infinity", async () => {
    const length = 150;
    const growing = new Float32Array(length).fill(1e10);
    growing[40] = 0;
    const late = new Float32Array(length);
    late[length - 1] = 3;
    const [factors, increments] = [growing, late].map((values) => tensor(values, [1, length, 1]));
    const result = linearScan(factors, increments);
    expect([...(await read(result))]).toEqual([...late]);
    dispose([factors, increments, result]);
  });

  it("takes no steps, and refuses what does not fit", async () => {
    const empty = zeros([2, 0, 3]);
    const result = linearScan(empty, empty);
    expect((await read(result)).length).toBe(0);
    const [x, y, integers] = [zeros([2, 3]), zeros([2, 4]), zeros([2, 3], "int32")];
    expect(() => linearScan(x, y)).toThrow(ShapeError);
    expect(() => linearScan(x, integers)).toThrow(DTypeError);
    expect(() => linearScan(x, x, { backwards: true } as object)).toThrow(InputError);
    dispose([empty, result, x, y, integers]);
  });
});
