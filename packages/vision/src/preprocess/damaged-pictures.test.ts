import { InputError } from "@ai/tensor";
import { type Fixture, loadFixture } from "@ai/tensor/testing";
import { zlibSync } from "fflate";
import { beforeAll, describe, expect, it } from "vitest";
import { crc32 } from "./decoders/png-chunks.js";
import { readImage } from "./read-image.js";

let fixture: Fixture;
const files: { name: string; bytes: Uint8Array }[] = [];
beforeAll(async () => {
  fixture = await loadFixture(new URL("../../fixtures/pictures.safetensors", import.meta.url));
  for (const name of fixture.names)
    if (name.endsWith("/file"))
      files.push({ name, bytes: Uint8Array.from(fixture.host(name).values as Int32Array) });
});

const bytesOf = (name: string): Uint8Array => {
  const found = files.find((file) => file.name === `${name}/file`);
  if (found === undefined) throw new Error(`no ${name}`);
  return found.bytes.slice();
};

const numberBytes = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
const ascii = (text: string): number[] => [...text].map((character) => character.charCodeAt(0));

function pngChunk(kind: string, data: ArrayLike<number>): number[] {
  const body = [...ascii(kind), ...Array.from(data)];
  return [...numberBytes(body.length - 4), ...body, ...numberBytes(crc32(Uint8Array.from(body)))];
}

/** A PNG of black RGB pixels with a header of any size. */
function png(width: number, height: number, pixels: Uint8Array): Uint8Array {
  return Uint8Array.from([
    ...[0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10],
    ...pngChunk("IHDR", [...numberBytes(width), ...numberBytes(height), 8, 2, 0, 0, 0]),
    ...pngChunk("IDAT", pixels),
    ...pngChunk("IEND", []),
  ]);
}

describe("damaged pictures", () => {
  it("refuses every file that is cut off", async () => {
    // of an animated GIF the first frame may be whole
    for (const { name, bytes } of files.filter((file) => file.name !== "gif-animated/file"))
      for (const part of [7, 0.3, 0.9]) {
        const end = part < 1 && part > 0 ? Math.floor(bytes.length * part) : Math.min(part, bytes.length);
        await expect(readImage(bytes.subarray(0, end)), `${name} ${end}`).rejects.toThrow(InputError);
      }
  });

  it("looks at the size before it makes a picture of it", async () => {
    const bomb = png(60000, 60000, zlibSync(new Uint8Array(1000)));
    await expect(readImage(bomb)).rejects.toThrow(
      /at most 67108864 pixels, got 60000 × 60000; raise maxPixels/,
    );
    await expect(readImage(bomb, { maxPixels: 2 ** 40 })).rejects.toThrow(/too few for them/);
    const jpeg = bytesOf("jpeg-4:2:0");
    const frame = jpeg.findIndex((byte, at) => byte === 0xff && jpeg[at + 1] === 0xc0);
    jpeg.set([0xff, 0xff, 0xff, 0xff], frame + 5);
    await expect(readImage(jpeg)).rejects.toThrow(/65535 × 65535; raise maxPixels/);
    const webp = bytesOf("webp-lossless");
    webp.set([0xff, 0xff, 0xff, 0x0f], 21);
    await expect(readImage(webp)).rejects.toThrow(/16384 × 16384; raise maxPixels/);
    const gif = bytesOf("gif");
    gif.set([0xff, 0xff, 0xff, 0xff], 6);
    await expect(readImage(gif)).rejects.toThrow(/65535 × 65535; raise maxPixels/);
    await expect(readImage(new Uint8Array(300), { maxBytes: 200 })).rejects.toThrow(
      /at most 200 bytes, got 300/,
    );
  });

  it("passes over what comes after the pixels, as Pillow does", async () => {
    const picture = await readImage(png(3, 2, zlibSync(new Uint8Array(3e6))));
    expect(picture).toEqual({ data: new Uint8Array(18), width: 3, height: 2, channels: 3 });
  });

  it("says what a file is that it cannot read", async () => {
    await expect(readImage(Uint8Array.from(ascii("BM picture")))).rejects.toThrow(
      /bytes: expected a JPEG, PNG, WebP or GIF, got a file that starts with 42 4d/,
    );
    await expect(readImage(new Uint8Array(0))).rejects.toThrow(/got no bytes/);
    const jpeg = bytesOf("jpeg-4:2:0");
    const frame = jpeg.findIndex((byte, at) => byte === 0xff && jpeg[at + 1] === 0xc0);
    jpeg[frame + 1] = 0xc3;
    await expect(readImage(jpeg)).rejects.toThrow(/baseline or progressive JPEG of 8 bits, got frame 0xc3/);
  });
});
