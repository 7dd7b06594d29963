import { InputError } from "@ai/tensor";
import { loadFixture } from "@ai/tensor/testing";
import { describe, expect, it } from "vitest";
import { convertChannels } from "./convert-channels.js";
import type { Picture } from "./picture.js";
import { readImage } from "./read-image.js";
import { writeJpeg, writePng } from "./write-image.js";

async function picture(name: string, channels: 1 | 3 | 4): Promise<Picture> {
  const fixture = await loadFixture(new URL("../../fixtures/pictures.safetensors", import.meta.url));
  return readImage(Uint8Array.from(fixture.host(`${name}/file`).values as Int32Array), { channels });
}

/** Root of the mean squared difference of levels. */
function deviation(a: Picture, b: Picture): number {
  expect([a.width, a.height, a.channels]).toEqual([b.width, b.height, b.channels]);
  let sum = 0;
  for (let at = 0; at < a.data.length; at++) sum += (a.data[at] - b.data[at]) ** 2;
  return Math.sqrt(sum / a.data.length);
}

describe("writePng", () => {
  it("writes what reads back to the same picture", async () => {
    for (const [name, channels] of [
      ["png-rgb", 3],
      ["webp-alpha", 4],
      ["png-grey", 1],
      ["jpeg-pixel", 3],
    ] as const) {
      const source = await picture(name, channels);
      expect(await readImage(await writePng(source), { channels })).toEqual(source);
    }
    await expect(writePng({ data: new Uint8Array(3), width: 2, height: 1, channels: 3 })).rejects.toThrow(
      InputError,
    );
  });
});

describe("writeJpeg", () => {
  it("writes what is close to the picture, closer with more quality", async () => {
    const source = await picture("jpeg-larger", 3);
    const sizes: number[] = [];
    const deviations: number[] = [];
    for (const quality of [10, 50, 85, 95, 100]) {
      const file = await writeJpeg(source, { quality });
      sizes.push(file.length);
      deviations.push(deviation(await readImage(file), source));
    }
    expect(sizes).toEqual([...sizes].sort((a, b) => a - b));
    expect(deviations).toEqual([...deviations].sort((a, b) => b - a));
    expect(deviations[4]).toBeLessThan(1);
    expect(deviations[0]).toBeLessThan(50);
  });

  it("writes grey, and sizes that fill no block", async () => {
    for (const name of ["png-grey", "jpeg-pixel", "jpeg-column"]) {
      const source = await picture(name, 1);
      expect(
        deviation(await readImage(await writeJpeg(source, { quality: 100 }), { channels: 1 }), source),
      ).toBeLessThan(1);
      const color = convertChannels(source, 3);
      expect(deviation(await readImage(await writeJpeg(color)), color)).toBeLessThan(12);
    }
  });

  it("refuses alpha and a quality that is none", async () => {
    const source = await picture("webp-alpha", 4);
    await expect(writeJpeg(source)).rejects.toThrow(/got RGBA; convertChannels/);
    await expect(writeJpeg(convertChannels(source, 3), { quality: 0 })).rejects.toThrow(
      /quality as a number in \[1, 100\]/,
    );
    await expect(writeJpeg(convertChannels(source, 3), { level: 3 } as never)).rejects.toThrow(
      /one named level/,
    );
  });
});
