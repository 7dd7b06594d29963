import { describe, expect, it } from "vitest";
import { type GgufFile, type HostEntry, readGguf, readSafetensors, WeightsError } from "../../index.js";
import { describeEachDevice, expectNoLeak } from "../../testing/index.js";
import { type ByteSource, memorySource } from "../byte-source.js";
import { openSource } from "../sources.js";
import { parseGgufHeader } from "./header.js";
import { openGguf } from "./read-gguf.js";

const fixtureUrl = (name: string): URL => new URL(`../../../fixtures/${name}`, import.meta.url);

async function fixtureBytes(): Promise<Uint8Array> {
  const source = await openSource(fixtureUrl("gguf-types.gguf"));
  return source.read(0, source.size);
}

type Part = number | bigint | string | Uint8Array;

/** 32 bits for a number, 64 for a bigint, length and text for a string. */
function bytesOf(...parts: readonly Part[]): Uint8Array {
  const pieces = parts.map((part) => {
    if (part instanceof Uint8Array) return part;
    if (typeof part === "number") return new Uint8Array(Uint32Array.of(part).buffer);
    if (typeof part === "bigint") return new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, part)).buffer);
    const text = new TextEncoder().encode(part);
    const whole = new Uint8Array(8 + text.length);
    whole.set(bytesOf(BigInt(text.length)));
    whole.set(text, 8);
    return whole;
  });
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let offset = 0;
  for (const piece of pieces) {
    bytes.set(piece, offset);
    offset += piece.length;
  }
  return bytes;
}

const magic = new TextEncoder().encode("GGUF");
const head = (tensors: bigint, entries: bigint, ...rest: Part[]): Uint8Array =>
  bytesOf(magic, 3, tensors, entries, ...rest);

/** A whole file: header, padding to 32, data. */
function fileOf(header: Uint8Array, data = 0): Uint8Array {
  const file = new Uint8Array(Math.ceil(header.length / 32) * 32 + data);
  file.set(header);
  return file;
}

/** A tensor's description: F32 `[4]` unless said otherwise. */
const described = (name: string, { sizes = [4n], type = 0, offset = 0n } = {}): Uint8Array =>
  bytesOf(name, sizes.length, ...sizes, type, offset);

describe("readGguf", () => {
  it("gives every type as gguf-py does, bit for bit", async () => {
    const file = await readGguf(fixtureUrl("gguf-types.gguf"));
    const expected = await readSafetensors(fixtureUrl("gguf-types.safetensors"));
    expect([...file.names].sort()).toEqual([...expected.names].sort());
    expect(file.names.length).toBe(23);
    for (const [name, entry] of await file.hosts()) {
      const wanted: HostEntry = await expected.host(name);
      expect(entry.shape, name).toEqual(wanted.shape);
      expect(entry.dtype, name).toBe(wanted.dtype);
      const different = [...entry.values].findIndex(
        (value, index) => !Object.is(value, wanted.values[index]),
      );
      expect(different, `first difference in ${name}`).toBe(-1);
    }
    expect(file.info("random.Q4_K")).toEqual({ dtype: "Q4_K", shape: [4, 768] });
    expect((await file.bytes("random.Q4_K")).byteLength).toBe(12 * 144);
  });

  it("gives metadata of every kind, under names without meaning", async () => {
    const { metadata } = await readGguf(await fixtureBytes());
    expect(metadata["general.architecture"]).toBe("llama");
    expect(metadata["general.name"]).toBe("types é");
    const numbers = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "int64", "float64", "bool"];
    expect(numbers.map((kind) => metadata[`a.${kind}`])).toEqual([
      200,
      -100,
      60000,
      -30000,
      4_000_000_000,
      -2_000_000_000,
      -(2 ** 53) + 1,
      0.1,
      true,
    ]);
    expect(metadata["a.float32"]).toBe(Math.fround(0.1));
    expect(metadata["a.uint64"]).toBe(2n ** 53n);
    expect(metadata["list.int32"]).toEqual(Int32Array.of(1, -2, 3));
    expect(metadata["list.float32"]).toEqual(Float32Array.of(0.5, -1.5));
    expect(metadata["list.bool"]).toEqual([true, false]);
    expect(metadata["list.string"]).toEqual(["<s>", "▁the", ""]);
    expect(metadata["list.nested"]).toEqual([Int32Array.of(1, 2), Int32Array.of(3)]);
    expect(Object.getOwnPropertyDescriptor(metadata, "__proto__")?.value).toBe("x");
    expect(Object.getPrototypeOf(metadata)).toBe(null);
  });

  it("reads a header that is longer than what is read first, and little of the file besides", async () => {
    const words = Array.from({ length: 20_000 }, (_, index) => `piece ${index}`);
    const bytes = fileOf(
      head(1n, 1n, "tokens", 9, 8, BigInt(words.length), ...words, described("x")),
      16 + 2 ** 20,
    );
    let readBytes = 0;
    const source = {
      name: "long.gguf",
      size: bytes.length,
      async read(start: number, end: number) {
        readBytes += end - start;
        return bytes.slice(start, end);
      },
    };
    const file = await openGguf(source);
    expect((file.metadata.tokens as string[])[19_999]).toBe("piece 19999");
    expect((await file.host("x")).values).toEqual(new Float32Array(4));
    expect(readBytes).toBeLessThan(bytes.length);
  });

  it("opens the files of a model in several from any one, and refuses those that do not belong together", async () => {
    const partOf = (number: number, name: string, count = 2, total = 2): Uint8Array =>
      fileOf(
        head(
          1n,
          3n,
          ...["split.count", 4, count, "split.no", 4, number, "split.tensors.count", 5, total],
          described(name),
        ),
        16,
      );
    const open = (files: Record<string, Uint8Array>, name: string): Promise<GgufFile> => {
      const sourceOf = (file: string): ByteSource => ({
        ...memorySource(files[file] ?? new Uint8Array(0), `folder/${file}`),
        sibling: async (other) => sourceOf(other),
      });
      return openGguf(sourceOf(name));
    };
    const [first, second] = ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"];
    const good = { [first]: partOf(0, "a"), [second]: partOf(1, "b") };
    for (const name of [first, second]) {
      const file = await open(good, name);
      expect(file.names).toEqual(["a", "b"]);
      expect((await file.host("b")).values).toEqual(new Float32Array(4));
      expect((await file.bytes("b")).length).toBe(16);
      expect(file.metadata["split.no"]).toBe(0);
    }
    // nothing lies beside bytes in memory
    expect((await readGguf(good[second])).names).toEqual(["b"]);
    for (const [files, message] of [
      [{ ...good, [second]: partOf(1, "a") }, /tensor "a" in one file, got it in two/],
      [{ ...good, [second]: partOf(0, "b") }, /split.no 0 to 1, got 0, 0; a file has another's name/],
      [{ ...good, [second]: partOf(1, "b", 3) }, /several models/],
      [{ [first]: partOf(0, "a", 2, 3), [second]: partOf(1, "b", 2, 3) }, /expected 3 tensors in 2 files/],
      [{ [first]: good[first] }, /starts with "GGUF"/],
      [{ [first]: partOf(0, "a", 3) }, /a name such as "model-00001-of-00003.gguf", since split.count is 3/],
    ] as const) {
      await expect(open(files, first)).rejects.toThrow(WeightsError);
      await expect(open(files, first)).rejects.toThrow(message);
    }
  });

  const hostile: [string, Uint8Array, RegExp][] = [
    ["no bytes", new Uint8Array(0), /starts with "GGUF"/],
    ["another format", bytesOf(0x12345678, 3, 0n, 0n), /starts with "GGUF"/],
    ["version 1", bytesOf(magic, 1, 0n, 0n), /version 2 or 3, little-endian, got 1;/],
    ["a big-endian file", bytesOf(magic, 3 << 24, 0n, 0n), /got 50331648, which is big-endian/],
    [
      "a file cut off",
      bytesOf(magic, 3, 0n),
      /number of entries of metadata of 8 bytes inside the file of 16/,
    ],
    ["too many tensors", head(2n ** 62n, 0n), /the number of tensors below 2\^53 at offset 8/],
    ["more tensors than fit", head(7n, 0n), /at most 0 tensors in a file of 24 bytes, got 7/],
    ["more metadata than fits", head(0n, 9n, "a"), /at most 0 entries of metadata .* got 9/],
    ["a long key", head(0n, 1n, 2n ** 40n, 0, 0), /a key of the metadata of 1099511627776 bytes inside/],
    ["a key twice", head(0n, 2n, "a", 4, 1, "a", 4, 1), /metadata "a" once, got it twice/],
    ["a key that is not UTF-8", head(0n, 1n, 1n, Uint8Array.of(255), 4, 1), /in UTF-8 at offset 32/],
    ["a type of 13", head(0n, 1n, "a", 13, 0), /a type from 0 to 12 for metadata "a", got 13/],
    ["a bool of 2", head(0n, 1n, "a", 7, Uint8Array.of(2)), /0 or 1 for metadata "a", got 2/],
    ["a long list", head(0n, 1n, "a", 9, 4, 2n ** 50n), /metadata "a" of 4503599627370496 bytes inside/],
    ["a long list of text", head(0n, 1n, "a", 9, 8, 2n ** 50n), /got 1125899906842624 elements at offset/],
    ["deep lists", head(0n, 1n, "a", 9, ...new Array(9).fill([9, 1n]).flat(), 4, 0n), /4 deep, got more/],
    [
      "too many lists in lists",
      head(0n, 1n, "a", 9, 9, 20_000n, ...new Array(20_000).fill([0, 0n]).flat()),
      /at most 10000 arrays in arrays/,
    ],
    [
      "an alignment of 3",
      head(0n, 1n, "general.alignment", 4, 3),
      /a power of 2 for general.alignment, got 3/,
    ],
    ["an alignment of 0", head(0n, 1n, "general.alignment", 4, 0), /a power of 2/],
    ["a name twice", fileOf(head(2n, 0n, described("x"), described("x")), 32), /"x": expected a name once/],
    ["an unknown type", fileOf(head(1n, 0n, described("x", { type: 4 })), 32), /"x": .*got number 4/],
    ["a high rank", fileOf(head(1n, 0n, "x", 9, new Uint8Array(99))), /"x": expected at most 8 axes, got 9/],
    [
      "rows that are no blocks",
      fileOf(head(1n, 0n, described("x", { type: 12, sizes: [128n] })), 144),
      /rows of a multiple of 256 values for Q4_K, got 128/,
    ],
    [
      "sizes that overflow",
      fileOf(head(1n, 0n, described("x", { sizes: [2n ** 40n, 2n ** 40n] }))),
      /got 4835703278458516698824704 bytes for F32 \[1099511627776, 1099511627776\]/,
    ],
    [
      "an offset that is not aligned",
      fileOf(head(1n, 0n, described("x", { offset: 4n })), 64),
      /a multiple of 32, got 4/,
    ],
    [
      "an offset behind the file",
      fileOf(head(1n, 0n, described("x", { offset: 2n ** 52n })), 64),
      /"x": expected 16 bytes inside the file of \d+, got offset/,
    ],
    ["values cut off", fileOf(head(1n, 0n, described("x")), 15), /"x": expected 16 bytes inside the file/],
    [
      "tensors that overlap",
      fileOf(head(2n, 0n, described("x", { sizes: [16n] }), described("y", { offset: 32n })), 64),
      /"y": expected bytes from offset .*; the tensors overlap/,
    ],
  ];
  it.each(hostile)("refuses %s", async (_, bytes, message) => {
    expect(() => parseGgufHeader("bad.gguf", bytes, bytes.length)).toThrow(message);
    await expect(readGguf(bytes)).rejects.toThrow(WeightsError);
  });

  it("refuses every file cut off and is quick on lying ones", async () => {
    const whole = await fixtureBytes();
    const { tensors } = parseGgufHeader("whole", whole, whole.length);
    const end = Math.max(...[...tensors.values()].map((info) => info.end));
    const start = performance.now();
    for (let length = 0; length < end; length += 97)
      await expect(readGguf(whole.slice(0, length))).rejects.toThrow(WeightsError);
    expect(performance.now() - start).toBeLessThan(30_000);
  });

  it("names a type without dequantisation, an unknown tensor, and stops at an abort", async () => {
    const file = await readGguf(fileOf(head(1n, 0n, described("x", { type: 10, sizes: [256n] })), 84));
    await expect(file.host("x")).rejects.toThrow(
      /tensor "x" at offset 64: expected one of F32, .*Q6_K, got Q2_K, which is not supported/,
    );
    expect((await file.bytes("x")).length).toBe(84);
    expect(() => file.info("y")).toThrow(/expected a tensor of the file, got "y"; there are 1: x/);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(file.bytes("x", { signal })).rejects.toThrow("enough");
    await expect(file.hosts({ signal })).rejects.toThrow("enough");
    await expect(readGguf(await fixtureBytes(), { signal })).rejects.toThrow("enough");
  });
});

describeEachDevice("GgufFile", () => {
  it("makes tensors without a leak, and none when one of them fails", async () => {
    const file = await readGguf(fixtureUrl("gguf-types.gguf"));
    await expectNoLeak(async () => {
      const made = await file.tensors({ names: ["axes", "random.Q5_0", "plain.I16"] });
      expect([...made.values()].map(({ shape, dtype }) => [shape, dtype])).toEqual([
        [[2, 3, 4, 5], "float32"],
        [[4, 96], "float32"],
        [[5], "int32"],
      ]);
      for (const tensor of made.values()) tensor.dispose();
      await expect(file.tensors({ names: ["axes", "plain.I64"] })).rejects.toThrow(
        /tensor "plain.I64" at offset \d+: expected int64 values that fit int32, got -9223372036854775808/,
      );
    });
  });
});
