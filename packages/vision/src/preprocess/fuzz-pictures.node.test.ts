import { InputError, RandomGenerator } from "@ai/tensor";
import { type Fixture, loadFixture } from "@ai/tensor/testing";
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

describe("thousands of damaged pictures", () => {
  it("gives a picture or an InputError for any bytes", async () => {
    const generator = new RandomGenerator(20261126);
    const kinds = { read: 0, refused: 0 };
    for (let round = 0; round < 2000; round++) {
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
    expect(Math.min(kinds.read, kinds.refused)).toBeGreaterThan(200);
    // what was refused broke nothing
    const whole = await readImage(Uint8Array.from(fixture.host("jpeg-4:2:0/file").values as Int32Array));
    expect([...whole.data.subarray(0, 30)]).toEqual(
      [...fixture.host("jpeg-4:2:0/rgb").values.slice(0, 30)].map(Number),
    );
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
