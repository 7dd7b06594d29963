import { InputError } from "@ai/tensor";
import { expect, it } from "vitest";
import { type EmscriptenFactory, WasmCodec } from "./wasm-codec.js";

/** The smallest module there is, as the decoders are embedded. */
async function emptyModule(): Promise<string> {
  const module = new Blob([Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0)]);
  const deflated = module.stream().pipeThrough(new CompressionStream("deflate-raw"));
  return btoa(String.fromCharCode(...new Uint8Array(await new Response(deflated).arrayBuffer())));
}

it("starts anew for a picture that waited beside the one that broke the decoder", async () => {
  let starts = 0;
  const factory: EmscriptenFactory = async () => {
    starts++;
    let isBroken = false;
    return {
      decode([width]) {
        if (isBroken) throw new Error("broken before");
        isBroken = width === 0;
        if (isBroken) throw new Error("a trap");
        return { data: new Uint8ClampedArray(4 * width), width, height: 1 };
      },
    };
  };
  const codec = new WasmCodec(factory, await emptyModule());
  const widths = [1, 0, 2, 3, 0, 4];
  const ends = await Promise.allSettled(
    widths.map((width) => codec.decode(Uint8Array.of(width), `${width}.jpg`)),
  );
  const decoded = ends.map((end) => (end.status === "fulfilled" ? end.value.image.width : end.reason));
  expect(decoded).toEqual([1, expect.any(InputError), 2, 3, expect.any(InputError), 4]);
  expect(decoded[1].message).toContain("a trap");
  expect(starts).toBe(3);
});
