import { InputError, ShapeError } from "@ai/tensor";
import { describeEachDevice, expectNoLeak } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { convertChannels } from "./convert-channels.js";
import { centerCrop, cropImage } from "./crop-image.js";
import { imageToHostTensor, imageToTensor } from "./image-to-tensor.js";
import { letterboxImage } from "./letterbox-image.js";
import { padImage } from "./pad-image.js";
import type { Picture } from "./picture.js";
import { boxFromOriginal, boxToOriginal } from "./picture-transform.js";

/** A grey picture of the given rows. */
function grey(...rows: number[][]): Picture {
  return { data: Uint8Array.from(rows.flat()), width: rows[0].length, height: rows.length, channels: 1 };
}

describe("cropImage and centerCrop", () => {
  it("cut inside and beyond the picture", () => {
    const picture = grey([1, 2, 3], [4, 5, 6]);
    expect(cropImage(picture, { left: 1, top: 0, width: 2, height: 2 })).toEqual(grey([2, 3], [5, 6]));
    expect(cropImage(picture, { left: -1, top: 1, width: 3, height: 2, fill: 9 })).toEqual(
      grey([9, 4, 5], [9, 9, 9]),
    );
    expect(cropImage(picture, { left: 5, top: 5, width: 1, height: 1 })).toEqual(grey([0]));
    expect(centerCrop(picture, { width: 2, height: 1 })).toEqual(grey([1, 2]));
    expect(centerCrop(picture, { width: 4, height: 4 })).toEqual(
      grey([0, 0, 0, 0], [0, 1, 2, 3], [0, 4, 5, 6], [0, 0, 0, 0]),
    );
    expect(() => cropImage(picture, { left: 0.5, top: 0, width: 1, height: 1 })).toThrow(InputError);
    expect(() => cropImage(picture, { left: -1, top: 0, width: 1, height: 1, fill: 300 })).toThrow(
      /fill as an integer/,
    );
    expect(() => centerCrop(picture, { width: 0, height: 1 })).toThrow(InputError);
  });
});

describe("padImage", () => {
  it("gives NumPy's pad", () => {
    const row = grey([1, 2, 3]);
    const sides = { left: 2, right: 2 };
    expect(padImage(row, { ...sides, fill: 7 })).toEqual(grey([7, 7, 1, 2, 3, 7, 7]));
    expect(padImage(row, { ...sides, mode: "edge" })).toEqual(grey([1, 1, 1, 2, 3, 3, 3]));
    expect(padImage(row, { ...sides, mode: "reflect" })).toEqual(grey([3, 2, 1, 2, 3, 2, 1]));
    expect(padImage(row, { ...sides, mode: "symmetric" })).toEqual(grey([2, 1, 1, 2, 3, 3, 2]));
    expect(padImage(row, { top: 1, bottom: 1, mode: "symmetric" })).toEqual(
      grey([1, 2, 3], [1, 2, 3], [1, 2, 3]),
    );
    expect(() => padImage(row, { left: 3, mode: "reflect" })).toThrow(
      /at most 2 pixels to reflect from 3, got 3/,
    );
    expect(() => padImage(row, { left: 1, mode: "edge", fill: 3 })).toThrow(/no fill with mode edge/);
    expect(() => padImage(row, { left: -1 })).toThrow(InputError);
    expect(() => padImage(row, { left: 1, mode: "wrap" as never })).toThrow(
      /constant, edge, reflect, symmetric/,
    );
  });
});

describe("letterboxImage", () => {
  it("keeps proportions and leads boxes back", () => {
    const picture: Picture = {
      data: new Uint8Array(60 * 20 * 3).fill(200),
      width: 60,
      height: 20,
      channels: 3,
    };
    const { picture: boxed, transform } = letterboxImage(picture, { width: 32, height: 32 });
    expect([boxed.width, boxed.height, boxed.data[0], boxed.data[(16 * 32 + 5) * 3]]).toEqual([
      32, 32, 114, 200,
    ]);
    const box = [6, 4, 30, 16] as const;
    const back = boxToOriginal(boxFromOriginal(box, transform), transform);
    back.forEach((edge, index) => {
      expect(edge).toBeCloseTo(box[index], 9);
    });
    const corner = letterboxImage(picture, { width: 30, height: 30, align: "topLeft", fill: [1, 2, 3] });
    expect([...corner.picture.data.slice(-3)]).toEqual([1, 2, 3]);
    expect(boxToOriginal([0, 0, 30, 30], corner.transform)).toEqual([0, 0, 60, 20]);
    expect(() => boxToOriginal([0, 0, Number.NaN, 1], transform)).toThrow(InputError);
    expect(() => letterboxImage(picture, { width: 3, height: 3, align: "left" as never })).toThrow(
      InputError,
    );
  });
});

describe("convertChannels", () => {
  it("converts as Pillow", () => {
    const picture: Picture = {
      data: Uint8Array.of(255, 0, 0, 9, 10, 20, 30, 0),
      width: 2,
      height: 1,
      channels: 4,
    };
    expect([...convertChannels(picture, 1).data]).toEqual([76, 18]);
    expect([...convertChannels(picture, 3).data]).toEqual([255, 0, 0, 10, 20, 30]);
    expect([...convertChannels(grey([7]), 4).data]).toEqual([7, 7, 7, 255]);
    expect(convertChannels(picture, 4)).toBe(picture);
    expect(() => convertChannels(picture, 2 as never)).toThrow(InputError);
  });
});

it.each([0, 1])("convertChannels drops alpha of any number of pixels, %i bytes into a buffer", (offset) => {
  for (const width of [1, 4, 7, 9]) {
    const bytes = Uint8Array.from({ length: offset + width * 4 }, (_, index) => (index * 37) % 251);
    const picture: Picture = { data: bytes.subarray(offset), width, height: 1, channels: 4 };
    const expected = [...picture.data].filter((_, index) => index % 4 !== 3);
    expect([...convertChannels(picture, 3).data]).toEqual(expected);
  }
});

describeEachDevice("imageToTensor", () => {
  it("normalises one picture and several", async () => {
    const picture: Picture = {
      data: Uint8Array.of(0, 51, 255, 102, 204, 153),
      width: 2,
      height: 1,
      channels: 3,
    };
    const options = { mean: [0.5, 0, 0.2], standardDeviation: [0.5, 1, 0.4] };
    const one = imageToTensor(picture, options);
    const expected = [-1, 0.2, 2, -0.2, 0.8, 1];
    expect(one.shape).toEqual([1, 2, 3]);
    (await one.data()).forEach((value: number, index: number) => {
      expect(value).toBeCloseTo(expected[index], 6);
    });
    expect(imageToHostTensor(picture, options)).toEqual({
      shape: [1, 2, 3],
      dtype: "float32",
      values: await one.data(),
    });
    one.dispose();
    const levels = imageToTensor([picture, picture], { rescaleFactor: 1, offset: -1 });
    expect(levels.shape).toEqual([2, 1, 2, 3]);
    expect([...(await levels.data())].slice(6)).toEqual([-1, 50, 254, 101, 203, 152]);
    levels.dispose();
    await expectNoLeak(() => imageToTensor(picture).dispose());
    expect(() => imageToTensor([picture, grey([1])])).toThrow(ShapeError);
    expect(() => imageToTensor([])).toThrow(/at least one picture/);
    expect(() => imageToTensor(picture, { standardDeviation: 0 })).toThrow(/other than 0/);
    expect(() => imageToTensor(picture, { mean: [1, 2] })).toThrow(/mean as a finite number or 3 of them/);
  });
});
