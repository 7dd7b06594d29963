import { InputError, RandomGenerator } from "@ai/tensor";
import { describe, expect, it } from "vitest";
import { crc32 } from "../preprocess/decoders/png-chunks.js";
import type { Picture } from "../preprocess/picture.js";
import type { Box } from "../preprocess/picture-transform.js";
import { colorJitter } from "./color-jitter.js";
import { flipHorizontally, flipVertically, randomHorizontalFlip, randomVerticalFlip } from "./flips.js";
import { randAugment } from "./rand-augment.js";
import { randomAffine, randomRotation } from "./random-affine.js";
import { randomCrop, randomResizedCrop } from "./random-crop.js";
import { randomErasing } from "./random-erasing.js";
import { type Augmentation, compose, type VisionSample } from "./sample.js";

const WIDTH = 40;
const HEIGHT = 32;
const BOX = [12, 9, 20, 15] as const;

/** Noise with a white rectangle in BOX, which the mask marks with 7. */
function sample(): Required<VisionSample> {
  const generator = new RandomGenerator(3);
  const data = new Uint8Array(WIDTH * HEIGHT * 3).map(() => generator.integer(0, 120));
  const mask = new Uint8Array(WIDTH * HEIGHT);
  for (let y = BOX[1]; y < BOX[3]; y++)
    for (let x = BOX[0]; x < BOX[2]; x++) {
      data.fill(255, (y * WIDTH + x) * 3, (y * WIDTH + x) * 3 + 3);
      mask[y * WIDTH + x] = 7;
    }
  return {
    picture: { data, width: WIDTH, height: HEIGHT, channels: 3 },
    mask: { data: mask, width: WIDTH, height: HEIGHT, channels: 1 },
    boxes: [{ box: BOX, label: 7, area: 48 }],
    label: 2,
  };
}

/** The smallest box around the pixels that `isMarked`. */
function boundsOf({ data, width, channels }: Picture, isMarked: (level: number) => boolean): Box | undefined {
  const bounds = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, 0, 0];
  for (let pixel = 0; pixel < data.length / channels; pixel++) {
    if (!isMarked(data[pixel * channels])) continue;
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    bounds[0] = Math.min(bounds[0], x);
    bounds[1] = Math.min(bounds[1], y);
    bounds[2] = Math.max(bounds[2], x + 1);
    bounds[3] = Math.max(bounds[3], y + 1);
  }
  return bounds[2] === 0 ? undefined : (bounds as unknown as Box);
}

const apply = (augmentation: Augmentation, seed: number): VisionSample =>
  augmentation(sample(), { generator: new RandomGenerator(seed) });

/** Whether `inner` lies in `outer`, and how far its edges are away from it at most. */
function distances(inner: Box, outer: Box): { outside: number; inside: number } {
  const gaps = [inner[0] - outer[0], inner[1] - outer[1], outer[2] - inner[2], outer[3] - inner[3]];
  return { outside: Math.max(0, ...gaps.map((gap) => -gap)), inside: Math.max(...gaps) };
}

/** Name, augmentation, how far a box may be from what it is around, and whether white stays white. */
const GEOMETRY: [string, Augmentation, number, boolean][] = [
  ["randomHorizontalFlip", randomHorizontalFlip(), 0, true],
  ["randomVerticalFlip", randomVerticalFlip(), 0, true],
  ["randomCrop", randomCrop({ width: 36, height: 30, padding: 4, minVisibility: 0 }), 0, true],
  [
    "randomResizedCrop",
    randomResizedCrop({ width: 50, height: 44, scale: [0.3, 1], minVisibility: 0 }),
    1.6,
    false,
  ],
  ["randomRotation", randomRotation(180, { minVisibility: 0 }), 4, true],
  [
    "randomAffine",
    randomAffine({ degrees: 20, translate: [0.3, 0.3], scale: [0.8, 1.3], shear: 10, minVisibility: 0 }),
    5,
    true,
  ],
  ["randAugment", randAugment({ magnitude: 15, minVisibility: 0 }), 5, false],
];

describe("augmentation", () => {
  it.each(GEOMETRY)("%s moves boxes and mask with the picture", (_, augmentation, slack, staysWhite) => {
    let seen = 0;
    for (let seed = 0; seed < 40; seed++) {
      const result = apply(augmentation, seed) as Required<VisionSample>;
      const { width, height } = result.picture;
      expect(result.picture.data.length).toBe(width * height * 3);
      expect([result.mask.width, result.mask.height, result.label]).toEqual([width, height, 2]);
      const marked = boundsOf(result.mask, (level) => level === 7);
      if (marked === undefined) continue;
      expect(result.boxes.length).toBe(1);
      seen++;
      const { outside, inside } = distances(marked, result.boxes[0].box);
      // a pixel is marked by its centre, up to half a pixel (of the source) beyond the moved edge
      expect(outside).toBeLessThanOrEqual(slack === 0 ? 0 : 1);
      expect(inside).toBeLessThanOrEqual(slack);
      if (staysWhite) expect(boundsOf(result.picture, (level) => level === 255)).toEqual(marked);
    }
    expect(seen).toBeGreaterThan(25);
  });

  it("gives the same pixels on every platform", () => {
    const everything = compose([
      randomAffine({
        degrees: 30,
        translate: [0.1, 0.1],
        shear: [5, 5],
        resample: "bilinear",
        fill: [9, 8, 7],
      }),
      randomResizedCrop({ width: 24, height: 20 }),
      randomHorizontalFlip(),
      colorJitter({ brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 }),
      randAugment({ numOperations: 3 }),
      randomErasing({ fill: "random" }),
    ]);
    const sums = [1, 2, 3, 4, 5, 6].map((seed) =>
      crc32(Uint8Array.from(apply(everything, seed).picture.data)),
    );
    expect(sums).toEqual([3067588738, 1210307782, 3179607826, 4282371998, 3537990090, 986629711]);
    expect(apply(everything, 1)).toEqual(apply(everything, 1));
  });

  it("leaves boxes out that are hardly in the picture, and shrinks areas with them", () => {
    const crop = (minVisibility: number): VisionSample =>
      randomCrop({ width: 6, height: 32, minVisibility })(sample(), { generator: new RandomGenerator(5) });
    const boxes = [...Array(200).keys()].map(
      (seed) =>
        randomCrop({ width: 6, height: 32, minVisibility: 0.5 })(sample(), {
          generator: new RandomGenerator(seed),
        }).boxes,
    );
    for (const list of boxes)
      for (const { box, area } of list ?? []) {
        expect(box[2] - box[0]).toBeGreaterThanOrEqual(4);
        expect(area).toBeCloseTo((box[2] - box[0]) * 6, 9);
      }
    expect(boxes.some((list) => list?.length === 0)).toBe(true);
    expect(crop(0).mask?.width).toBe(6);
  });

  it("flips twice to what it was", () => {
    const { picture } = sample();
    expect(flipHorizontally(flipHorizontally(picture))).toEqual(picture);
    expect(flipVertically(flipVertically(picture))).toEqual(picture);
    expect(flipHorizontally(picture).data.slice(0, 3)).toEqual(picture.data.slice(117, 120));
  });

  it("jitters inside its ranges and erases about the area that it is told", () => {
    const grey = {
      picture: { data: new Uint8Array(300).fill(100), width: 10, height: 10, channels: 3 } as const,
    };
    for (let seed = 0; seed < 20; seed++) {
      const context = { generator: new RandomGenerator(seed) };
      const [level] = colorJitter({ brightness: [0.5, 1.5] })(grey, context).picture.data;
      expect(level).toBeGreaterThanOrEqual(50);
      expect(level).toBeLessThanOrEqual(150);
      const erased = randomErasing({ probability: 1, scale: [0.2, 0.3], fill: [1, 2, 3] })(grey, context)
        .picture.data;
      const count = erased.filter((value) => value !== 100).length / 3;
      expect(count).toBeGreaterThanOrEqual(14);
      expect(count).toBeLessThanOrEqual(36);
    }
    expect(grey.picture.data.every((value) => value === 100)).toBe(true);
  });

  it("refuses wrong options and samples", () => {
    const wrong = (make: () => unknown) => expect(make).toThrow(InputError);
    wrong(() => randomHorizontalFlip({ probability: 2 }));
    wrong(() => randomHorizontalFlip({ p: 0.5 } as never));
    wrong(() => randomResizedCrop({ width: 4, height: 4, scale: [0.5, 0.1] }));
    wrong(() => colorJitter({ hue: 0.7 }));
    wrong(() => colorJitter({ contrast: -1 }));
    wrong(() => randomAffine({ translate: [2, 0] }));
    wrong(() => randomRotation([5, -5]));
    wrong(() => randAugment({ magnitude: 31 }));
    wrong(() => randomErasing({ ratio: [0, 1] }));
    wrong(() => compose([randomHorizontalFlip] as never)(sample(), undefined as never));
    expect(() => compose([3 as never])).toThrow(/got number at position 0/);
    expect(() => randomHorizontalFlip()({} as never, { generator: new RandomGenerator(1) })).toThrow(
      /a sample/,
    );
    expect(() => apply(randomCrop({ width: 99, height: 4 }), 1)).toThrow(/at least 4 × 99 .* pad more/);
    const mask = { data: new Uint8Array(4), width: 2, height: 2, channels: 1 } as const;
    expect(() => randAugment()({ ...sample(), mask }, { generator: new RandomGenerator(1) })).toThrow(
      /a mask of 32 × 40/,
    );
  });
});
