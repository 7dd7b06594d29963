import { type Fixture, loadFixture } from "@ai/tensor/testing";
import { beforeAll, describe, expect, it } from "vitest";
import { readImage } from "./read-image.js";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await loadFixture(new URL("../../fixtures/pictures.safetensors", import.meta.url));
});

const bytesOf = (name: string): Uint8Array => Uint8Array.from(fixture.host(name).values as Int32Array);

/** Largest difference of two lists of levels. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let largest = a.length === b.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i] - b[i]));
  return largest;
}

describe("readImage", () => {
  it("decodes every form to Pillow's bytes", async () => {
    const names = fixture.names.filter((name) => name.endsWith("/file")).map((name) => name.slice(0, -5));
    expect(names.length).toBeGreaterThan(60);
    const wrong: unknown[] = [];
    for (const name of names) {
      const file = bytesOf(`${name}/file`);
      const allowed = /cmyk|ycck/.test(name) ? 3 : 0;
      for (const [form, channels] of [
        ["rgb", 3],
        ["rgba", 4],
      ] as const) {
        if (!fixture.has(`${name}/${form}`)) continue;
        const expected = fixture.host(`${name}/${form}`);
        try {
          const picture = await readImage(file, { channels });
          const got = distance(picture.data, expected.values as Int32Array);
          if (picture.height !== expected.shape[0] || picture.width !== expected.shape[1] || got > allowed)
            wrong.push([name, form, picture.height, picture.width, expected.shape, got]);
        } catch (error) {
          wrong.push([name, form, String(error)]);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
