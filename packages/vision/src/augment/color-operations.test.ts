import { InputError } from "@ai/tensor";
import { loadFixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import type { Picture } from "../preprocess/picture.js";
import {
  adjustBrightness,
  adjustContrast,
  adjustHue,
  adjustSaturation,
  adjustSharpness,
  autoContrast,
  equalize,
  posterize,
  solarize,
} from "./color-operations.js";

const OPERATIONS: Record<string, (picture: Picture, value: number) => Picture> = {
  brightness: adjustBrightness,
  contrast: adjustContrast,
  saturation: adjustSaturation,
  sharpness: adjustSharpness,
  hue: adjustHue,
  posterize,
  solarize,
  autoContrast,
  equalize,
};

describe("color operations", () => {
  it("give Pillow's pixels", async () => {
    const fixture = await loadFixture(new URL("../../fixtures/colors.safetensors", import.meta.url));
    const stored = (name: string): Picture => {
      const { shape, values } = fixture.host(name);
      return { data: Uint8Array.from(values as Int32Array), height: shape[0], width: shape[1], channels: 3 };
    };
    const cases = JSON.parse(fixture.metadata.cases) as [string, string, number][];
    expect(new Set(cases.map(([, operation]) => operation))).toEqual(new Set(Object.keys(OPERATIONS)));
    for (const [name, operation, value] of cases) {
      const source = stored("source");
      const result = OPERATIONS[operation](source, value);
      const wrong = result.data.findIndex((level, at) => level !== stored(name).data[at]);
      expect({ name, wrong, got: result.data[wrong] }).toEqual({ name, wrong: -1, got: undefined });
      expect(source).toEqual(stored("source"));
    }
  });

  it("leave alpha alone and refuse values out of range", () => {
    const picture: Picture = { data: Uint8Array.of(10, 200, 30, 77), width: 1, height: 1, channels: 4 };
    for (const [name, operation] of Object.entries(OPERATIONS))
      expect({ name, alpha: operation(picture, name === "hue" ? 0.3 : 2).data[3] }).toEqual({
        name,
        alpha: 77,
      });
    expect(() => adjustBrightness(picture, -1)).toThrow(InputError);
    expect(() => adjustHue(picture, 0.6)).toThrow(/shift as a number in \[-0.5, 0.5\], got 0.6/);
    expect(() => posterize(picture, 0)).toThrow(InputError);
    expect(() => solarize(picture, 300)).toThrow(InputError);
  });
});
