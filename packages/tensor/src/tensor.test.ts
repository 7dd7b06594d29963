import { describe, expect, it } from "vitest";
import {
  AiError,
  arange,
  describeDevice,
  dispose,
  eye,
  full,
  isAiError,
  item,
  linspace,
  memory,
  moveTo,
  ones,
  onesLike,
  read,
  ShapeError,
  scalar,
  tensor,
  tidy,
  toArray,
  zeros,
  zerosLike,
} from "./index.js";
import { describeEachDevice, difference, expectNoLeak } from "./testing/index.js";

describeEachDevice("making and reading tensors", (device) => {
  it("infers shape and dtype, and gives nested arrays back", async () => {
    await expectNoLeak(async () => {
      const floats = tensor([
        [1, 2.5],
        [3, 4],
      ]);
      expect([floats.shape, floats.dtype]).toEqual([[2, 2], "float32"]);
      expect(await toArray(floats)).toEqual([
        [1, 2.5],
        [3, 4],
      ]);
      const flags = tensor([true, false]);
      expect(flags.dtype).toBe("bool");
      expect(await toArray(flags)).toEqual([true, false]);
      const integers = tensor(Int32Array.of(2 ** 31 - 1, -(2 ** 31)));
      expect([...(await read(integers))]).toEqual([2147483647, -2147483648]);
      const reshaped = tensor([1, 2, 3, 4, 5, 6], [2, 3], "int32");
      expect(await toArray(reshaped)).toEqual([
        [1, 2, 3],
        [4, 5, 6],
      ]);
      const empty = zeros([2, 0, 3]);
      expect(await toArray(empty)).toEqual([[], []]);
      const single = scalar(7);
      expect(await toArray(single)).toBe(7);
      expect(await item(single)).toBe(7);
      dispose([floats, flags, integers, reshaped, empty, single]);
    });
  });

  it("copies what it is given and what it gives", async () => {
    const values = Float32Array.of(1, 2);
    const copy = tensor(values);
    values[0] = 9;
    const given = await read(copy);
    given[0] = 7;
    expect([...(await read(copy))]).toEqual([1, 2]);
    copy.dispose();
  });

  it("fills, counts and spaces", async () => {
    await expectNoLeak(async () => {
      const made = [
        full([2], 3),
        ones([2], "int32"),
        arange(2, 9, 3),
        linspace(0, 1, 3),
        eye(2),
        arange(3, 0, -1),
      ];
      const expected = [
        [3, 3],
        [1, 1],
        [2, 5, 8],
        [0, 0.5, 1],
        [
          [1, 0],
          [0, 1],
        ],
        [3, 2, 1],
      ];
      for (const [index, one] of made.entries()) expect(await toArray(one)).toEqual(expected[index]);
      const like = [zerosLike(made[1]), onesLike(made[3])];
      expect(like.map((one) => one.dtype)).toEqual(["int32", "float32"]);
      dispose([...made, ...like]);
    });
  });

  it("refuses ragged rows, wrong counts and bad sizes", async () => {
    await expectNoLeak(async () => {
      expect(() => tensor([[1, 2], [3]])).toThrow(/expected rows of length 2, got one of length 1/);
      expect(() => tensor([[1], 2] as never)).toThrow(ShapeError);
      expect(() => tensor([1, 2, 3], [2])).toThrow(/expected 2 values for shape \[2\], got 3/);
      expect(() => zeros([-1])).toThrow(/non-negative integer sizes/);
      expect(() => arange(0, 1, 0)).toThrow(/finite range/);
      expect(() => (arange as (stop: number) => unknown)(5)).toThrow(/write arange\(0, 5\)/);
      for (const value of ["1", undefined, null, {}])
        expect(() => tensor([0, value] as number[])).toThrow(/tensor: expected numbers or booleans, got/);
      expect(() => tensor(new Float64Array(1) as never)).toThrow(/Float64Array/);
      expect(() => tensor(Uint8Array.of(0, 1, 255))).toThrow(/bytes of 0 and 1, which give bool, got 255/);
      const two = zeros([2]);
      await expect(item(two)).rejects.toThrow(/expected one element/);
      two.dispose();
      await expect(read(two)).rejects.toThrow(/expected a live tensor/);
    });
  });

  it("frees what a tidy made, keeps its result, and refuses promises", async () => {
    const before = memory().numTensors;
    const result = tidy(() => {
      zeros([3]);
      return { kept: ones([2]) };
    });
    expect(memory().numTensors).toBe(before + 1);
    dispose(result);
    dispose(result.kept);
    expect(memory().numTensors).toBe(before);
    expect(() => tidy(() => Promise.resolve(zeros([1])))).toThrow(/expected a synchronous function/);
    expect(memory().numTensors).toBe(before);
  });

  it("says which device it is", async () => {
    const description = describeDevice();
    expect(description.device).toBe(device);
    expect(description.reason).toBe(`${device} was asked for`);
    const x = tensor([1, 2]);
    const moved = await moveTo(x);
    expect(await difference(moved, x)).toBeUndefined();
    dispose([x, moved]);
  });
});

describe("errors", () => {
  it("carry their kind and a marker that survives bundling", () => {
    const error = new ShapeError("op: expected a, got b");
    expect(error).toBeInstanceOf(AiError);
    expect(error.name).toBe("ShapeError");
    expect(isAiError(error)).toBe(true);
    expect(isAiError(new Error("other"))).toBe(false);
  });
});
