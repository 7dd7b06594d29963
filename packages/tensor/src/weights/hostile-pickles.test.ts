import { describe, expect, it } from "vitest";
import { readTorch, WeightsError } from "../index.js";
import { bytesOf, uint32, uint64 } from "../testing/bytes.js";
import { zipOf } from "../testing/zip-files.js";

/** Text as pickles of protocol 2 have it. */
const text = (value: string): Uint8Array => bytesOf("X", uint32(value.length), value);
/** A file of today's PyTorch around a pickle. */
const torchOf = (pickle: Uint8Array, storages: Readonly<Record<string, number>> = {}): Uint8Array =>
  zipOf([
    { name: "m/data.pkl", bytes: pickle },
    ...Object.entries(storages).map(([key, length]) => ({
      name: `m/data/${key}`,
      bytes: new Uint8Array(length),
    })),
  ]);
/** A tensor `_rebuild_tensor_v2(storage 0 of `elements` floats, offset, shape, strides)`. */
const tensorOf = (elements: number, offset: number, shape: number[], strides: number[]): Uint8Array => {
  const tuple = (values: number[]): Uint8Array =>
    bytesOf("(", ...values.map((value) => bytesOf("J", uint32(value))), "t");
  return bytesOf(
    "ctorch._utils\n_rebuild_tensor_v2\n((",
    text("storage"),
    "ctorch\nFloatStorage\n",
    text("0"),
    text("cpu"),
    "J",
    uint32(elements),
    "tQJ",
    uint32(offset),
    tuple(shape),
    tuple(strides),
    0x89,
    "NtR",
  );
};
const dictOf = (...entries: [string, Uint8Array][]): Uint8Array =>
  bytesOf(0x80, 2, "}(", ...entries.flatMap(([key, value]) => [text(key), value]), "u.");
const deep = (count: number, open: string, close: string): Uint8Array =>
  bytesOf(0x80, 2, open.repeat(count), "N", close.repeat(count), ".");

const torchCases: [string, Uint8Array, RegExp][] = [
  ["no bytes", new Uint8Array(0), /starts with "PK" or 0x80, got no bytes/],
  [
    "a pickle of something else",
    bytesOf(0x80, 2, "K", 1, "."),
    /expected the magic number of a PyTorch checkpoint, got 1/,
  ],
  ["os.system", torchOf(bytesOf("cos\nsystem\n(S'true'\ntR.")), /"os\.system", which is refused/],
  ["eval", torchOf(bytesOf("c__builtin__\neval\n(S'1'\ntR.")), /"__builtin__\.eval"/],
  [
    "a name from the stack",
    torchOf(bytesOf(0x80, 4, text("posix"), text("system"), 0x93, ".")),
    /"posix\.system"/,
  ],
  ["an instance of Python 2", torchOf(bytesOf("(ios\nsystem\n.")), /"os\.system"/],
  [
    "getattr through a long name",
    torchOf(bytesOf("ctorch.serialization\nos.system\n.")),
    /"torch\.serialization\.os\.system"/,
  ],
  ["a name of Object.prototype", torchOf(bytesOf("ctorch\nconstructor\n.")), /"torch\.constructor"/],
  ["an extension", torchOf(bytesOf(0x80, 2, 0x82, 1, ".")), /an instruction of a pickle at offset 2.*0x82/],
  [
    "a pickle without an end",
    torchOf(bytesOf(0x80, 2, "}")),
    /expected 1 bytes at offset 3 of the pickle, got the end/,
  ],
  ["protocol 6", torchOf(bytesOf(0x80, 6, "N.")), /protocol 6/],
  [
    "text longer than the file",
    torchOf(bytesOf(0x80, 2, "X", uint32(0xffffffff))),
    /expected 4294967295 bytes/,
  ],
  [
    "text of 2^63 bytes",
    torchOf(bytesOf(0x80, 4, 0x8d, uint64(2n ** 63n))),
    /expected 9223372036854776000 bytes/,
  ],
  [
    "an integer of 100 kB",
    torchOf(bytesOf(0x80, 2, 0x8b, uint32(100_000), new Uint8Array(100_000), ".")),
    /at most 1024 bytes/,
  ],
  ["an empty place of the memo", torchOf(bytesOf(0x80, 2, "h", 9, ".")), /the empty place 9 of the memo/],
  ["nothing on the stack", torchOf(bytesOf(0x80, 2, ".")), /an instruction without its value/],
  ["lists 10,000 deep", torchOf(deep(10_000, "]", "a")), /at most 1000000 values, 100 deep/],
  ["a list in itself", torchOf(bytesOf(0x80, 2, "]q", 0, "h", 0, "a.")), /100 deep/],
  [
    "a billion values shared",
    torchOf(
      bytesOf(
        0x80,
        2,
        "]q",
        0,
        ...Array.from({ length: 30 }, (_, level) => bytesOf("](", "h", level, "h", level, "eq", level + 1)),
        ".",
      ),
    ),
    /at most 1000000 values/,
  ],
  [
    "one name twice",
    torchOf(
      dictOf(["a.b", tensorOf(1, 0, [], [])], ["a", bytesOf("}", text("b"), tensorOf(1, 0, [], []), "s")]),
      { 0: 4 },
    ),
    /expected "a\.b" once in the checkpoint, got it twice/,
  ],
  [
    "a storage that is not there",
    torchOf(dictOf(["w", tensorOf(1, 0, [1], [1])])),
    /expected the storage "m\/data\/0"/,
  ],
  [
    "a storage cut off",
    torchOf(dictOf(["w", tensorOf(8, 0, [8], [1])]), { 0: 4 }),
    /expected 32 bytes in "m\/data\/0" at offset \d+, got 4/,
  ],
  [
    "a view behind its storage",
    torchOf(dictOf(["w", tensorOf(4, 2, [3], [1])]), { 0: 16 }),
    /tensor "w" in "m\/data\/0" at offset \d+: expected elements inside the storage of 4, got 3 from 2 on/,
  ],
  [
    "strides that lead out",
    torchOf(dictOf(["w", tensorOf(4, 0, [2, 2], [3, 2])]), { 0: 16 }),
    /got 6 from 0 on/,
  ],
  [
    "a shape that overflows",
    torchOf(dictOf(["w", tensorOf(4, 0, new Array(8).fill(2 ** 31 - 1), new Array(8).fill(0))]), { 0: 16 }),
    /a shape that a file can hold/,
  ],
  [
    "a view that repeats one value 4 billion times",
    torchOf(dictOf(["w", tensorOf(1, 0, [65536, 65536], [0, 0])]), { 0: 4 }),
    /repeats its values up to 4194304/,
  ],
  [
    "a negative size",
    torchOf(dictOf(["w", tensorOf(4, 0, [0xffffffff], [1])]), { 0: 16 }),
    /a tensor whose shape is a list and not of integers from 0/,
  ],
  [
    "axes without strides",
    torchOf(dictOf(["w", tensorOf(4, 0, [2, 2], [1])]), { 0: 16 }),
    /a tensor of 2 axes with 1 strides/,
  ],
];

describe("readTorch", () => {
  it.each(torchCases)("refuses %s", async (_, bytes, message) => {
    const start = performance.now();
    const attempt = async (): Promise<unknown> => (await readTorch(bytes)).hosts();
    await expect(attempt()).rejects.toThrow(message);
    await expect(attempt()).rejects.toThrow(WeightsError);
    expect(performance.now() - start).toBeLessThan(30_000);
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
  });
});
