import { describe, expect, it } from "vitest";
import {
  encodeSafetensors,
  encodeValues,
  type HostEntry,
  parseSafetensors,
  read,
  readSafetensors,
  type SafetensorsEntry,
  tensor,
  WeightsError,
  writeSafetensors,
  zeros,
} from "../index.js";
import { describeEachDevice, expectNoLeak } from "../testing/index.js";
import { openSource } from "./sources.js";

const fixtureUrl = (name: string): URL => new URL(`../../fixtures/${name}.safetensors`, import.meta.url);

async function fixtureBytes(name: string): Promise<Uint8Array> {
  const source = await openSource(fixtureUrl(name));
  return source.read(0, source.size);
}

/** A file out of header text and data. */
function fileOf(header: string | Uint8Array, data = new Uint8Array(0), length?: number | bigint): Uint8Array {
  const bytes = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const file = new Uint8Array(8 + bytes.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(length ?? bytes.length), true);
  file.set(bytes, 8);
  file.set(data, 8 + bytes.length);
  return file;
}

describe("encodeSafetensors", () => {
  it.each(["python-all-dtypes", "python-metadata", "python-empty"])(
    "writes %s byte for byte as the Python library did, whatever the order of the entries",
    async (name) => {
      const file = await fixtureBytes(name);
      const { tensors, metadata } = parseSafetensors(file);
      const shuffled = new Map([...tensors].reverse());
      const options = Object.keys(metadata).length === 0 ? {} : { metadata };
      expect(encodeSafetensors(shuffled, options)).toEqual(file);
      expect(await writeSafetensors(shuffled, options)).toEqual(file);
    },
  );

  it("rounds to float16 and bfloat16 as PyTorch does", async () => {
    const { tensors } = parseSafetensors(await fixtureBytes("half-rounding"));
    const values = new Float32Array(tensors.get("source")!.bytes.slice().buffer);
    for (const [name, dtype, isNaNBits] of [
      ["float16", "F16", (bits: number) => (bits & 0x7fff) > 0x7c00],
      ["bfloat16", "BF16", (bits: number) => (bits & 0x7fff) > 0x7f80],
    ] as const) {
      const expected = new Uint16Array(tensors.get(name)!.bytes.slice().buffer);
      const actual = new Uint16Array(encodeValues({ dtype: "float32", values }, dtype).slice().buffer);
      // a NaN must stay one; its payload is not kept, as it is not everywhere in PyTorch
      const canonical = (bits: Uint16Array): number[] =>
        Array.from(bits, (word) => (isNaNBits(word) ? -1 : word));
      expect(canonical(actual)).toEqual(canonical(expected));
    }
  });

  it("reads every float16 and bfloat16 as a number that rounds to itself", async () => {
    const words = Uint16Array.from({ length: 65536 }, (_, word) => word);
    for (const [dtype, infinity, one] of [
      ["F16", 0x7c00, 0x3c00],
      ["BF16", 0x7f80, 0x3f80],
    ] as const) {
      const entry: SafetensorsEntry = { dtype, shape: [65536], bytes: new Uint8Array(words.buffer) };
      const file = await readSafetensors(encodeSafetensors(new Map([["x", entry]])));
      const { values } = (await file.host("x")) as HostEntry & { values: Float32Array };
      const again = new Uint16Array(encodeValues({ dtype: "float32", values }, dtype).buffer);
      let wrong = 0;
      for (let word = 0; word < 65536; word++)
        if ((word & 0x7fff) > infinity ? !Number.isNaN(values[word]) : again[word] !== word) wrong++;
      expect(wrong).toBe(0);
      expect([values[one], values[one + 1], values[infinity]]).toEqual([
        1,
        1 + (dtype === "F16" ? 2 ** -10 : 2 ** -7),
        Number.POSITIVE_INFINITY,
      ]);
      expect(values[1]).toBe(dtype === "F16" ? 2 ** -24 : 2 ** -133);
    }
  });

  it("refuses what the format cannot hold", () => {
    const entry: HostEntry = { dtype: "float32", shape: [2], values: Float32Array.of(1, 2) };
    const encode = (
      name: string,
      value: HostEntry | SafetensorsEntry,
      metadata?: Record<string, string>,
    ): unknown => encodeSafetensors(new Map([[name, value]]), metadata === undefined ? {} : { metadata });
    expect(() => encode("__metadata__", entry)).toThrow(/expected a tensor's name, got __metadata__/);
    expect(() => encode("\ud800", entry)).toThrow(/well-formed text for a tensor's name/);
    expect(() => encode("x", { ...entry, shape: [3] })).toThrow(
      /expected 12 bytes for "x" of F32 \[3\], got 8/,
    );
    expect(() => encode("x", { dtype: "F31" as never, shape: [], bytes: new Uint8Array(4) })).toThrow(
      /dtype of the format/,
    );
    expect(() => encode("x", entry, { a: 1 as never })).toThrow(/well-formed text for metadata "a", got 1/);
    expect(() => encodeValues(entry, "I32")).toThrow(
      /encodeValues: expected F32, F16, BF16 or F64 for float32/,
    );
  });
});

describe("parseSafetensors", () => {
  it("keeps the header's order, names without meaning, and views of the file", async () => {
    const file = await fixtureBytes("python-all-dtypes");
    const { tensors, metadata } = parseSafetensors(file);
    expect([...tensors.keys()].slice(0, 4)).toEqual(["uint64", "int64", "float64", "complex64"]);
    expect(tensors.get("__proto__")).toMatchObject({ dtype: "I32", shape: [1] });
    expect(tensors.get("uint64")!.bytes.buffer).toBe(file.buffer);
    expect(metadata.format).toBe("pt é\n\u2028");
    const named = parseSafetensors(await fixtureBytes("python-metadata")).metadata;
    expect(Object.getOwnPropertyDescriptor(named, "__proto__")?.value).toBe("x");
    expect(({} as { x?: string }).x).toBe(undefined);
  });

  const x = (offsets: string, shape = "[1]", dtype = "F32"): string =>
    `"x":{"dtype":"${dtype}","shape":${shape},"data_offsets":${offsets}}`;
  const four = new Uint8Array(4);
  const eight = new Uint8Array(8);
  const hostile: [string, Uint8Array, RegExp][] = [
    ["no bytes", new Uint8Array(0), /at least 8 bytes, got 0/],
    ["a header longer than the file", fileOf("{}", four, 7), /inside the file of 14 bytes, got one of 7/],
    [
      "a header of 2^63 bytes",
      fileOf("{}", four, 2n ** 63n),
      /at most 100000000 bytes, got 9223372036854775808/,
    ],
    ["a header beyond 100 MB", fileOf("{}", four, 100_000_001), /at most 100000000 bytes/],
    ["a header that is not UTF-8", fileOf(Uint8Array.of(0x7b, 0xff, 0x7d)), /in UTF-8/],
    ["a byte order mark", fileOf("\ufeff{}"), /starts with "\{"/],
    ["a list", fileOf("[]"), /starts with "\{"/],
    ["text behind the header", fileOf("{} {}"), /text after the end at character 3/],
    ["JSON cut off", fileOf('{"x":'), /no value at character 5/],
    ["a string without end", fileOf('{"x'), /a string without end/],
    ["a bad escape", fileOf('{"\\x":1}'), /bad escape/],
    ["a control character", fileOf('{"a\nb":1}'), /control character/],
    ["a name twice", fileOf(`{${x("[0,4]")},${x("[0,4]")}}`, four), /the name "x" twice/],
    ["a field twice", fileOf('{"x":{"dtype":"F32","dtype":"F32"}}'), /the name "dtype" twice/],
    ["deep nesting", fileOf(`{"x":${"[".repeat(100_000)}`), /nesting deeper than 8/],
    ["an entry that is a number", fileOf('{"x":3}'), /tensor "x": expected an object, got 3/],
    [
      "an entry of __proto__",
      fileOf('{"__proto__":{"dtype":"F32"}}'),
      /tensor "__proto__": expected a shape/,
    ],
    ["metadata that is not text", fileOf('{"__metadata__":{"a":1}}'), /text for __metadata__ "a", got 1/],
    ["metadata that is a list", fileOf('{"__metadata__":[]}'), /object for __metadata__/],
    ["an unknown dtype", fileOf(`{${x("[0,4]", "[1]", "F33")}}`, four), /dtype of the format, got "F33"/],
    [
      "a dtype of Object.prototype",
      fileOf(`{${x("[0,4]", "[1]", "constructor")}}`, four),
      /got "constructor"/,
    ],
    ["a negative size", fileOf(`{${x("[0,4]", "[-1]")}}`, four), /non-negative integers, got \[-1\]/],
    ["a size that is no integer", fileOf(`{${x("[0,4]", "[1.5]")}}`, four), /non-negative integers/],
    [
      "sizes that overflow",
      fileOf(`{${x("[0,0]", "[4294967296,4294967296,4294967296,4294967296]")}}`),
      /expected 1361129467683753853853498429727072845824 bytes/,
    ],
    ["offsets backwards", fileOf(`{${x("[4,0]")}}`, four), /\[start, end\] in order, got \[4,0\]/],
    ["an offset beyond 2^53", fileOf(`{${x("[0,9007199254740993]")}}`, four), /data_offsets/],
    ["one offset", fileOf(`{${x("[0]")}}`, four), /data_offsets/],
    [
      "bytes that do not fit the shape",
      fileOf(`{${x("[0,8]")}}`, eight),
      /expected 4 bytes for F32 \[1\], got 8 at offset 0/,
    ],
    [
      "an offset behind the file",
      fileOf(`{${x("[0,4]")}}`, new Uint8Array(2)),
      /got offset 4 of 2; the file is cut off/,
    ],
    [
      "a gap at the start",
      fileOf(`{${x("[4,8]")}}`, eight),
      /start at offset 0, got 4; the tensors leave a gap/,
    ],
    [
      "tensors that overlap",
      fileOf(`{"y":{"dtype":"F32","shape":[1],"data_offsets":[2,6]},${x("[0,4]")}}`, eight),
      /"y": expected bytes that start at offset 4, got 2; the tensors overlap/,
    ],
    [
      "one range for two tensors",
      fileOf(`{"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},${x("[0,4]")}}`, four),
      /overlap/,
    ],
    ["bytes of no tensor", fileOf(`{${x("[0,4]")}}`, eight), /4 bytes belong to no tensor/],
    ["half a byte", fileOf(`{${x("[0,2]", "[3]", "F4")}}`, new Uint8Array(2)), /bytes for F4 \[3\]/],
  ];
  it.each(hostile)("refuses %s", (_, file, message) => {
    const attempt = (): unknown => parseSafetensors(file, "hostile.safetensors");
    expect(attempt).toThrow(WeightsError);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(/^hostile\.safetensors: /);
  });

  it("is quick on long hostile text", () => {
    const start = performance.now();
    const long = 2_000_000;
    expect(() => parseSafetensors(fileOf(`{"${"\\n".repeat(long)}`))).toThrow(/string without end/);
    expect(() => parseSafetensors(fileOf(`{"x":${"1".repeat(long)}}`))).toThrow(WeightsError);
    expect(parseSafetensors(fileOf(`{}${" ".repeat(long)}`)).tensors.size).toBe(0);
    expect(performance.now() - start).toBeLessThan(30_000);
  });

  it("reads tensors that are not aligned, in any order, with fields of later versions", async () => {
    const data = new Uint8Array(5);
    new DataView(data.buffer).setFloat32(1, 2.5, true);
    data[0] = 1;
    const later = `{"f":{"shape":[],"extra":{"a":[null,true]},"data_offsets":[1,5],"dtype":"F32"},"b":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}} `;
    const file = await readSafetensors(fileOf(later, data));
    expect(await file.host("f")).toEqual({ dtype: "float32", shape: [], values: Float32Array.of(2.5) });
    expect(file.names).toEqual(["f", "b"]);
  });
});

describeEachDevice("readSafetensors", () => {
  it("converts each dtype", async () => {
    const file = await readSafetensors(fixtureUrl("python-all-dtypes"));
    const signed = [-1, 0, -3, -100, -2, -1];
    const unsigned = [1, 0, 3, 100, 2, 1];
    const expected: Record<string, [string, number[]]> = {
      bool: ["bool", [1, 0, 1, 1, 1, 1]],
      uint8: ["int32", unsigned],
      int8: ["int32", signed],
      int16: ["int32", signed],
      uint16: ["int32", unsigned],
      float16: ["float32", signed],
      bfloat16: ["float32", signed],
      int32: ["int32", signed],
      uint32: ["int32", unsigned],
      float32: ["float32", signed],
      float64: ["float32", signed],
      int64: ["int32", signed],
      uint64: ["int32", unsigned],
    };
    const tensors = await file.tensors({ names: Object.keys(expected) });
    expect([...tensors.keys()]).toEqual(Object.keys(expected));
    for (const [name, value] of tensors) {
      const [dtype, values] = expected[name];
      await expect(value).toBeCloseToTensor({ shape: [2, 3], dtype, values });
      value.dispose();
    }
    const scalar = await file.tensor("scalar");
    await expect(scalar).toBeCloseToTensor({ shape: [], dtype: "float32", values: [2.5] });
    const empty = await file.tensor("empty");
    await expect(empty).toBeCloseToTensor({ shape: [0, 3], dtype: "float32", values: [] });
    scalar.dispose();
    empty.dispose();
    expect(file.info("float8_e4m3")).toEqual({ dtype: "F8_E4M3", shape: [2, 3] });
    expect((await file.entry("float8_e4m3")).bytes.byteLength).toBe(6);
    await expect(file.tensor("float8_e4m3")).rejects.toThrow(
      /tensor "float8_e4m3": expected a dtype that tensors have, got F8_E4M3/,
    );
    expect((await file.host("int64")).values).toEqual(BigInt64Array.from(signed, BigInt));
    await expect(file.tensor("nothing")).rejects.toThrow(/expected a tensor of the file, got "nothing"/);
  });

  it("refuses values that would change", async () => {
    const entries = new Map<string, SafetensorsEntry | HostEntry>([
      ["long", { dtype: "int64", shape: [1], values: BigInt64Array.of(2n ** 31n) }],
      ["unsigned", { dtype: "U32", shape: [1], bytes: new Uint8Array(4).fill(255) }],
      ["large", { dtype: "F64", shape: [1], bytes: new Uint8Array(Float64Array.of(1e300).buffer) }],
    ]);
    const file = await readSafetensors(encodeSafetensors(entries));
    await expect(file.tensor("long")).rejects.toThrow(
      /tensor "long": expected I64 values that fit int32, got 2147483648/,
    );
    await expect(file.tensor("unsigned")).rejects.toThrow(/U32 values that fit int32, got 4294967295/);
    await expect(file.tensor("large")).rejects.toThrow(/F64 values that fit float32, got 1e\+300/);
    expect((await file.host("long")).values).toEqual(BigInt64Array.of(2n ** 31n));
  });

  it("reads a Blob, and what writeSafetensors wrote, without a leak", async () => {
    await expectNoLeak(async () => {
      const weight = tensor([
        [1.5, -2],
        [0, 65504],
      ]);
      const steps = tensor(Int32Array.of(3, -1));
      const mask = tensor([true, false]);
      const bytes = await writeSafetensors(
        {
          weight,
          steps,
          mask,
          half: { tensor: weight, dtype: "F16" },
          long: { tensor: steps, dtype: "I64" },
        },
        { metadata: { format: "pt" } },
      );
      const file = await readSafetensors(new Blob([bytes as Uint8Array<ArrayBuffer>]));
      expect(file.metadata.format).toBe("pt");
      expect(file.info("half").dtype).toBe("F16");
      expect(file.info("long").dtype).toBe("I64");
      const tensors = await file.tensors();
      for (const [name, original] of Object.entries({ weight, steps, mask, half: weight, long: steps })) {
        expect([...(await read(tensors.get(name)!))]).toEqual([...(await read(original))]);
        tensors.get(name)!.dispose();
      }
      for (const t of [weight, steps, mask]) t.dispose();
    });
  });

  it("stops at an abort and refuses what is no source", async () => {
    const x = zeros([2]);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(readSafetensors(new Uint8Array(8), { signal })).rejects.toThrow("enough");
    await expect(writeSafetensors({ x }, { signal })).rejects.toThrow("enough");
    const file = await readSafetensors(await writeSafetensors({ x }));
    await expect(file.tensors({ signal })).rejects.toThrow("enough");
    await expect(readSafetensors(3 as never)).rejects.toThrow(
      /expected a path, URL, Blob or bytes, got number/,
    );
    await expect(writeSafetensors({ x: 3 as never })).rejects.toThrow();
    x.dispose();
  });
});
