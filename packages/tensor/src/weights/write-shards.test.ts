import { describe, expect, it } from "vitest";
import {
  type HostEntry,
  InputError,
  parseSafetensors,
  readSafetensors,
  type SafetensorsInput,
  useDevice,
  writeShardedSafetensors,
  zeros,
} from "../index.js";
import { openSource } from "./sources.js";

async function fixture() {
  const source = await openSource(new URL("../../fixtures/python-shards.safetensors", import.meta.url));
  const { tensors, metadata } = parseSafetensors(await source.read(0, source.size));
  const files = new Map([...tensors].map(([name, { bytes }]) => [name, bytes]));
  const stored = new Map(
    [...files]
      .filter(([name]) => !name.endsWith(".json"))
      .flatMap(([, bytes]) => [...parseSafetensors(bytes).tensors]),
  );
  return { files, stored, order: JSON.parse(metadata.order) as string[] };
}

const entry = (length: number): HostEntry => ({
  dtype: "float32",
  shape: [length],
  values: Float32Array.from({ length }, (_, index) => index),
});

describe("writeShardedSafetensors", () => {
  it("writes shards and index byte for byte as huggingface_hub does", async () => {
    const { files, stored, order } = await fixture();
    const inputs = new Map(order.map((name) => [name, stored.get(name)!]));
    const written = await writeShardedSafetensors(inputs, { maxShardBytes: 200, metadata: { format: "pt" } });
    expect([...written.keys()].sort()).toEqual([...files.keys()].sort());
    expect(written.size).toBe(4);
    for (const [name, bytes] of written) expect(bytes, name).toEqual(files.get(name));
  });

  it("writes one file without an index below the size, and for no tensors", async () => {
    const written = await writeShardedSafetensors({ a: entry(4), b: entry(4) }, { maxShardBytes: 32 });
    expect([...written.keys()]).toEqual(["model.safetensors"]);
    const file = await readSafetensors(written.get("model.safetensors")!);
    expect(file.names).toEqual(["a", "b"]);
    expect([...(await writeShardedSafetensors({})).keys()]).toEqual(["model.safetensors"]);
  });

  it("reads lazy values one at a time, in the order of the files", async () => {
    const loaded: string[] = [];
    const lazy = (name: string, length: number): SafetensorsInput => ({
      dtype: "F16",
      shape: [length],
      async load() {
        loaded.push(name);
        return entry(length);
      },
    });
    const written = await writeShardedSafetensors(
      { b: lazy("b", 4), a: lazy("a", 4), c: lazy("c", 4) },
      { maxShardBytes: 16 },
    );
    expect(loaded).toEqual(["a", "b", "c"]);
    const first = await readSafetensors(written.get("model-00001-of-00002.safetensors")!);
    expect(first.info("a")).toEqual({ dtype: "F16", shape: [4] });
    expect((await first.host("b")).values).toEqual(Float32Array.of(0, 1, 2, 3));
    const short: SafetensorsInput = { dtype: "F32", shape: [3], load: async () => entry(2) };
    await expect(writeShardedSafetensors({ short })).rejects.toThrow(
      /12 bytes for "short" of F32 \[3\], got 8/,
    );
    const wrong: SafetensorsInput = { dtype: "I64", shape: [2], load: async () => entry(2) };
    await expect(writeShardedSafetensors({ wrong })).rejects.toThrow(InputError);
  });

  it("refuses other options and sizes, stops at an abort, and meets the first error of several", async () => {
    await useDevice("cpu");
    await expect(writeShardedSafetensors({}, { maxShardSize: 3 } as never)).rejects.toThrow(/maxShardSize/);
    await expect(writeShardedSafetensors({}, { maxShardBytes: 0 })).rejects.toThrow(
      /maxShardBytes above 0, got 0/,
    );
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(writeShardedSafetensors({ a: entry(1) }, { signal })).rejects.toThrow("enough");
    const [x, y] = [zeros([2]), zeros([2])];
    x.dispose();
    y.dispose();
    await expect(writeShardedSafetensors({ x, y })).rejects.toThrow(/disposed/);
  });
});
