import { InputError } from "@ai/tensor";
import { describeEachDevice, expectNoLeak, type Fixture, loadFixture } from "@ai/tensor/testing";
import { beforeAll, expect, it } from "vitest";
import { imagePreprocessor } from "./image-preprocessor.js";
import type { Picture } from "./picture.js";
import { boxFromOriginal, boxToOriginal } from "./picture-transform.js";

type Case = [name: string, config: Record<string, unknown>, pictures: number[]];

let fixture: Fixture;
let cases: Case[];
beforeAll(async () => {
  fixture = await loadFixture(new URL("../../fixtures/preprocessor.safetensors", import.meta.url));
  cases = JSON.parse(fixture.metadata.cases) as Case[];
});

function picture(number: number): Picture {
  const { shape, values } = fixture.host(`picture/${number}`);
  return { data: Uint8Array.from(values as Int32Array), height: shape[0], width: shape[1], channels: 3 };
}

describeEachDevice("imagePreprocessor", () => {
  it("gives the numbers of Transformers' processors", async () => {
    expect(cases.length).toBeGreaterThan(15);
    for (const [name, config, numbers] of cases) {
      const { pixelValues, pixelMask, transforms } = imagePreprocessor(config)(numbers.map(picture));
      const expected = fixture.host(`${name}/pixels`);
      const values = await pixelValues.data();
      expect({ name, shape: pixelValues.shape }).toEqual({ name, shape: expected.shape });
      let largest = 0;
      for (let i = 0; i < values.length; i++)
        largest = Math.max(largest, Math.abs(values[i] - Number(expected.values[i])));
      expect(largest, name).toBeLessThanOrEqual(1e-6);
      expect(pixelMask !== undefined, name).toBe(fixture.has(`${name}/mask`));
      if (pixelMask !== undefined)
        expect([...(await pixelMask.data())]).toEqual([...fixture.host(`${name}/mask`).values]);
      expect(transforms.map(({ height }) => height)).toEqual(numbers.map((number) => picture(number).height));
      pixelValues.dispose();
      pixelMask?.dispose();
    }
  });

  it("says where the pixels went", () => {
    const preprocess = imagePreprocessor({
      image_processor_type: "CLIPImageProcessor",
      size: { shortest_edge: 20 },
      crop_size: { height: 16, width: 16 },
    });
    const { pixelValues, transforms } = preprocess({
      data: new Uint8Array(40 * 80 * 3),
      width: 80,
      height: 40,
      channels: 3,
    });
    pixelValues.dispose();
    // 80 × 40 became 40 × 20, of which the middle 16 × 16 begins at (12, 2)
    expect(boxFromOriginal([24, 4, 56, 36], transforms[0])).toEqual([0, 0, 16, 16]);
    expect(boxToOriginal([0, 0, 16, 16], transforms[0])).toEqual([24, 4, 56, 36]);
    expect(boxToOriginal([-100, 0, 100, 16], transforms[0])).toEqual([0, 4, 80, 36]);
  });

  it("keeps nothing but its result", async () => {
    const preprocess = imagePreprocessor(cases.find(([name]) => name === "detr")?.[1] ?? {});
    await expectNoLeak(() => {
      const { pixelValues, pixelMask } = preprocess([picture(0), picture(1)]);
      pixelValues.dispose();
      pixelMask?.dispose();
    });
  });

  it("names what it does not support", () => {
    const wrong = (config: Record<string, unknown>) => () => imagePreprocessor(config);
    const vit = { image_processor_type: "ViTImageProcessor" };
    expect(wrong({})).toThrow(/image_processor_type to be one of ViTImageProcessor.*got null/);
    expect(wrong({ image_processor_type: "SamImageProcessor" })).toThrow(/got "SamImageProcessor"/);
    expect(wrong({ ...vit, do_flip_channel_order: true })).toThrow(/\{"do_flip_channel_order":true\}/);
    expect(wrong({ ...vit, do_center_crop: true })).toThrow(/do_center_crop/);
    expect(wrong({ ...vit, size: { longest_edge: 5 } })).toThrow(/size.shortest_edge as a positive integer/);
    expect(wrong({ ...vit, size: 2.5 })).toThrow(InputError);
    expect(wrong({ ...vit, size: { shortest_edge: 5 } })).toThrow(/size with height and width/);
    expect(wrong({ ...vit, resample: 9 })).toThrow(/resample from 0 to 5, got 9/);
    expect(wrong({ ...vit, image_std: [1, 2] })).toThrow(/image_std as a number or 3 of them, got \[1,2\]/);
    expect(wrong({ ...vit, do_rescale: "yes" })).toThrow(/do_rescale as true or false, got "yes"/);
    const keeps = imagePreprocessor({ ...vit, do_resize: false });
    expect(() => keeps([picture(0), picture(1)])).toThrow(/expected pictures of 29 × 37 .* got 41 × 26/);
    expect(() => keeps([])).toThrow(/at least one picture/);
  });
});

it("refuses a line that would grow to a giant, before it grows", () => {
  const line: Picture = { data: new Uint8Array(3_000_000), width: 1, height: 1_000_000, channels: 3 };
  const preprocess = imagePreprocessor({
    image_processor_type: "CLIPImageProcessor",
    size: { shortest_edge: 256 },
    crop_size: 224,
  });
  expect(() => preprocess(line)).toThrow(InputError);
  expect(() => preprocess(line)).toThrow(/at most 67108864 pixels .* got 256 × 256000000 of 1 × 1000000/);
});
