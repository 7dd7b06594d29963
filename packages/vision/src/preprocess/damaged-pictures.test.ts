import { InputError, RandomGenerator } from "@ai/tensor";
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
      for (const part of [0, 1, 7, 0.3, 0.6, 0.9]) {
        const end = part < 1 && part > 0 ? Math.floor(bytes.length * part) : Math.min(part, bytes.length);
        await expect(readImage(bytes.subarray(0, end)), `${name} ${end}`).rejects.toThrow(InputError);
      }
  });

  it("gives a picture or an InputError for any bytes", async () => {
    const generator = new RandomGenerator(20261126);
    const kinds = { read: 0, refused: 0 };
    for (let round = 0; round < 3000; round++) {
      const { name, bytes } = files[generator.integer(0, files.length)];
      const damaged = bytes.slice();
      const changes = generator.integer(1, 8);
      for (let change = 0; change < changes; change++) {
        // half of them in the headers, where they do most
        const end = generator.uniform() < 0.5 ? Math.min(64, damaged.length) : damaged.length;
        damaged[generator.integer(0, end)] = generator.integer(0, 256);
      }
      if (/png/.test(name) && generator.uniform() < 0.8) repairChecksums(damaged);
      try {
        const { data, width, height } = await readImage(damaged, { maxPixels: 1e6 });
        expect(data.length).toBe(3 * width * height);
        kinds.read++;
      } catch (error) {
        if (!(error instanceof InputError)) throw new Error(`${name}, round ${round}: ${error}`);
        kinds.refused++;
      }
    }
    expect(Math.min(kinds.read, kinds.refused)).toBeGreaterThan(300);
    // what was refused broke nothing
    const whole = await readImage(bytesOf("jpeg-4:2:0"));
    expect([...whole.data.subarray(0, 30)]).toEqual(
      [...fixture.host("jpeg-4:2:0/rgb").values.slice(0, 30)].map(Number),
    );
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

  it("stops inflating where the pixels end", async () => {
    const bomb = png(3, 2, zlibSync(new Uint8Array(3e7)));
    const before = performance.now();
    const picture = await readImage(bomb);
    expect(picture.data.length).toBe(18);
    expect(performance.now() - before).toBeLessThan(2000);
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

/** Gives every chunk the checksum of what is in it now, so that damage reaches the decoder. */
function repairChecksums(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer);
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    if (at + 12 + length > bytes.length) return;
    view.setUint32(at + 8 + length, crc32(bytes.subarray(at + 4, at + 8 + length)));
    at += 12 + length;
  }
}
