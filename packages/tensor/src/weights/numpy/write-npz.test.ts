import { describe, expect, it } from "vitest";
import { type HostEntry, parseSafetensors, type SafetensorsEntry, writeNpz } from "../../index.js";
import { tensor } from "../../tensor.js";
import { describeEachDevice, expectNoLeak } from "../../testing/index.js";
import { memorySource } from "../byte-source.js";
import { openSource } from "../sources.js";
import { ZipArchive } from "../zip/archive.js";
import { openNpz } from "./read-numpy.js";

async function fixture() {
  const source = await openSource(new URL("../../../fixtures/python-npy.safetensors", import.meta.url));
  const { tensors } = parseSafetensors(await source.read(0, source.size));
  const arrays = new Map([...tensors].filter(([name]) => !name.startsWith("npy/")));
  return { arrays, file: (name: string): Uint8Array => tensors.get(`npy/${name}`)!.bytes };
}

describe("writeNpz", () => {
  it.each([false, true])("holds each array as np.save writes it, compressed: %s", async (compress) => {
    const { arrays, file } = await fixture();
    const bytes = await writeNpz(arrays, { compress });
    expect(await writeNpz(arrays, { compress })).toEqual(bytes);
    const archive = await ZipArchive.open(memorySource(bytes, "written.npz"), undefined);
    expect([...archive.entries.keys()]).toEqual([...arrays.keys()].map((name) => `${name}.npy`));
    for (const name of arrays.keys()) {
      const expected = file(name);
      const { size } = archive.entries.get(`${name}.npy`)!;
      expect(size).toBe(expected.length);
      expect(await archive.read(`${name}.npy`, { start: 0, end: size }, undefined), name).toEqual(expected);
    }
    const plain = [...arrays.values()].reduce((sum, entry) => sum + entry.bytes.length, 0);
    if (!compress) expect(bytes.length).toBeGreaterThan(plain + 128 * arrays.size);
  });

  it("makes a large array of zeros small, and writes nothing at all", async () => {
    const zeros: HostEntry = { dtype: "float32", shape: [100_000], values: new Float32Array(100_000) };
    expect((await writeNpz({ zeros }, { compress: true })).length).toBeLessThan(4000);
    expect((await openNpz(memorySource(await writeNpz({})))).names).toEqual([]);
  });

  it("refuses what NumPy or an archive cannot hold, other options, and stops at an abort", async () => {
    const bfloat: SafetensorsEntry = { dtype: "BF16", shape: [1], bytes: new Uint8Array(2) };
    await expect(writeNpz({ bfloat })).rejects.toThrow(/dtype that NumPy has for "bfloat", got BF16/);
    const huge = {
      dtype: "F32" as const,
      shape: [2 ** 30],
      load: async () => Promise.reject(new Error("never")),
    };
    await expect(writeNpz({ huge })).rejects.toThrow(/at most 4294967295 bytes .*; use safetensors/);
    await expect(writeNpz({}, { compression: true } as never)).rejects.toThrow(/compression/);
    await expect(writeNpz({ x: 3 as never })).rejects.toThrow(/host values or bytes for "x"/);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(writeNpz({}, { signal })).rejects.toThrow("enough");
  });
});

describeEachDevice("writeNpz", () => {
  it("writes tensors without a leak", async () => {
    await expectNoLeak(async () => {
      const x = tensor([[1.5, -2]]);
      const mask = tensor([true, false]);
      const file = await openNpz(
        memorySource(await writeNpz({ x, mask, half: { tensor: x, dtype: "F16" } })),
      );
      expect(file.info("half")).toEqual({ dtype: "<f2", shape: [1, 2] });
      expect(await file.host("half")).toEqual({
        dtype: "float32",
        shape: [1, 2],
        values: Float32Array.of(1.5, -2),
      });
      expect((await file.host("mask")).dtype).toBe("bool");
      x.dispose();
      mask.dispose();
    });
  });
});
