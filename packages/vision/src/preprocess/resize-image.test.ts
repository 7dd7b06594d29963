import { InputError } from "@ai/tensor";
import { type Fixture, loadFixture } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { cropImage } from "./crop-image.js";
import type { Picture, PictureChannels } from "./picture.js";
import { RESAMPLES, type Resample } from "./resample-filters.js";
import { resizeImage, resizeToWindow } from "./resize-image.js";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await loadFixture(new URL("../../fixtures/resize.safetensors", import.meta.url));
});

function stored(name: string): Picture {
  const { shape, values } = fixture.host(name);
  return {
    data: Uint8Array.from(values as Int32Array),
    height: shape[0],
    width: shape[1],
    channels: shape[2] as PictureChannels,
  };
}

/** The box of resize.py. */
const BOX = [1.5, 0.25, 7.75, 6.5] as const;

describe("resizeImage", () => {
  it.each(RESAMPLES)("gives Pillow's pixels with %s", (resample: Resample) => {
    const names = fixture.names.filter((name) => name.includes(`/${resample}/`));
    expect(names.length).toBeGreaterThan(40);
    for (const name of names) {
      const expected = stored(name);
      const source = stored(`${name.split("/")[0]}/source`);
      const { width, height } = expected;
      const box = name.endsWith("/box") ? { box: BOX } : {};
      const result = resizeImage(source, { width, height, resample, ...box });
      const differing = result.data.findIndex((value, index) => value !== expected.data[index]);
      expect({ name, length: result.data.length, differing }).toEqual({
        name,
        length: expected.data.length,
        differing: -1,
      });
    }
  });

  it.each(["bilinear", "bicubic"] as const)("computes only a part of it with %s", (resample) => {
    const picture = stored("noise/source");
    for (const size of [
      { width: 40, height: 33 },
      { width: 9, height: 7 },
    ]) {
      const window = { left: 2, top: 1, width: 5, height: 6 };
      const part = resizeToWindow(picture, { ...size, resample }, window);
      expect(part).toEqual(cropImage(resizeImage(picture, { ...size, resample }), window));
    }
    const outside = { left: 5, top: 0, width: 5, height: 6 };
    expect(resizeToWindow(picture, { width: 9, height: 7, resample }, outside)).toBeUndefined();
    const kept = { left: 0, top: 0, width: 5, height: 6 };
    expect(resizeToWindow(picture, { width: 16, height: 7, resample }, kept)).toBeUndefined();
  });

  it.each(RESAMPLES)("gives the same where there is no WebAssembly, with %s", async (resample) => {
    const data = Uint8Array.from({ length: 130 * 90 * 3 }, (_, index) => (index * 7919) >> 3);
    const picture: Picture = { data, width: 130, height: 90, channels: 3 };
    const sizes = [
      [31, 20],
      [130, 20],
      [31, 90],
      [300, 260],
    ];
    const resizeAll = (resize: typeof resizeImage) =>
      sizes.map(([width, height]) => resize(picture, { width, height, resample }));
    const expected = resizeAll(resizeImage);
    vi.resetModules();
    vi.stubGlobal("WebAssembly", undefined);
    try {
      const plain = resizeAll((await import("./resize-image.js")).resizeImage);
      for (const [index, { data: bytes, ...size }] of plain.entries()) {
        const { data: wanted, ...wantedSize } = expected[index];
        expect(size).toEqual(wantedSize);
        expect(bytes.length).toBe(wanted.length);
        // toEqual takes a second for each picture
        expect(bytes.findIndex((byte, at) => byte !== wanted[at])).toBe(-1);
      }
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it("copies a picture that has the size already", () => {
    const picture = stored("noise/source");
    const copy = resizeImage(picture, { width: 16, height: 12 });
    expect(copy).toEqual(picture);
    expect(copy.data).not.toBe(picture.data);
  });

  it("refuses what it cannot do", () => {
    const picture = stored("noise/source");
    const wrong = (options: object) => () => resizeImage(picture, options as never);
    expect(wrong({ width: 0, height: 4 })).toThrow(/expected width as an integer of at least 1, got 0/);
    expect(wrong({ width: 4, height: 4, filter: "box" })).toThrow(/one named filter/);
    expect(wrong({ width: 4, height: 4, resample: "linear" })).toThrow(/nearest, box.* got linear/);
    expect(wrong({ width: 4, height: 4, box: [0, 0, 17, 4] })).toThrow(InputError);
    expect(() => resizeImage({ ...picture, width: 15 }, { width: 4, height: 4 })).toThrow(/= 540 values/);
  });
});
