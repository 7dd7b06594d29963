import { deflateSync } from "fflate";
import { describe, expect, it } from "vitest";
import { readCTranslate2, readLlama2c, readNumpy, readOnnx, readWeights, WeightsError } from "../index.js";
import { bytesOf, uint16, uint32 } from "../testing/bytes.js";
import { type ZipFile, zipOf } from "../testing/zip-files.js";
import { memorySource } from "./byte-source.js";
import { ZipArchive } from "./zip/archive.js";
import { crc32 } from "./zip/crc32.js";

const npyHeader = (header: string, data = 0, length = header.length): Uint8Array =>
  bytesOf(0x93, "NUMPY", 1, 0, uint16(length), header, new Uint8Array(data));
const npyCases: [string, Uint8Array, RegExp][] = [
  ["another format", bytesOf(0x93, "NUMPX", new Uint8Array(20)), /starts with "\\x93NUMPY"/],
  [
    "version 9",
    bytesOf(0x93, "NUMPY", 9, 0, new Uint8Array(20)),
    /version 1, 2 or 3 of NumPy's format, got 9/,
  ],
  [
    "a header longer than the file",
    npyHeader("{", 10, 500),
    /a header inside the file of \d+ bytes, got one of 510/,
  ],
  [
    "a call in the header",
    npyHeader("{'descr': __import__('os').system('true')}"),
    /got "__import__\('os'\)\.sys" at character 10/,
  ],
  ["a field twice", npyHeader("{'descr': '<f4', 'descr': '<f4'}"), /expected a dict with descr/],
  ["no shape", npyHeader("{'descr': '<f4', 'fortran_order': False}"), /got descr, fortran_order/],
  [
    "a shape that overflows",
    npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (9007199254740991, 9), }"),
    /a shape that a file can hold/,
  ],
  [
    "values cut off",
    npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 7),
    /expected 8 bytes for <f4 \[2\], got 7 at offset/,
  ],
  [
    "a negative size",
    npyHeader("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8),
    /expected a dict with/,
  ],
];

const zeros = (count: number): ZipFile => {
  const npy = npyHeader(`{'descr': '|u1', 'fortran_order': False, 'shape': (${count},), }`, count);
  return { name: "z.npy", bytes: deflateSync(npy), deflated: { size: npy.length, crc: crc32(npy) } };
};
const small = zeros(1000);
const member = npyHeader("{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }", 1);
/** Changes a number of 32 bits in an archive's directory, `at` bytes into its first entry. */
function inDirectory(archive: Uint8Array, at: number, value: number): Uint8Array {
  const view = new DataView(archive.buffer);
  const start = view.getUint32(archive.length - 6, true);
  view.setUint32(start + at, value, true);
  return archive;
}
const twoMembers = (): Uint8Array =>
  zipOf([
    { name: "a.npy", bytes: member },
    { name: "b.npy", bytes: member },
  ]);
const zipCases: [string, Uint8Array, RegExp][] = [
  [
    "an archive cut off",
    twoMembers().slice(0, -30),
    /expected the end of a zip archive, got none; the file is cut off/,
  ],
  [
    "a name that leads out",
    zipOf([{ name: "../../evil.npy", bytes: member }]),
    /"\.\.\/\.\.\/evil\.npy": expected a name inside the archive/,
  ],
  [
    "an absolute name",
    zipOf([{ name: "/etc/passwd.npy", bytes: member }]),
    /expected a name inside the archive/,
  ],
  [
    "a name with a backslash",
    zipOf([{ name: "..\\evil.npy", bytes: member }]),
    /expected a name inside the archive/,
  ],
  [
    "a name twice",
    zipOf([
      { name: "a.npy", bytes: member },
      { name: "a.npy", bytes: member },
    ]),
    /expected "a\.npy" once in the archive/,
  ],
  [
    "files that overlap",
    inDirectory(inDirectory(twoMembers(), 20, member.length + 40), 24, member.length + 40),
    /the files of the archive overlap/,
  ],
  [
    "a size that cannot be",
    inDirectory(zipOf([small]), 24, 0x7fffffff),
    /expected a size that \d+ bytes can give, got 2147483647; the archive is damaged or a bomb/,
  ],
  ["an encrypted file", inDirectory(zipOf([small]), 8, 0x80001), /that is not encrypted/],
  [
    "a file packed otherwise",
    inDirectory(zipOf([small]), 8, 14 << 16),
    /got method 14, which is not supported/,
  ],
  [
    "a directory outside of the file",
    (() => {
      const bytes = twoMembers();
      new DataView(bytes.buffer).setUint32(bytes.length - 6, 0x7ffffff0, true);
      return bytes;
    })(),
    /expected a directory that ends before offset/,
  ],
  [
    "a million files in a small directory",
    (() => {
      const bytes = twoMembers();
      new DataView(bytes.buffer).setUint16(bytes.length - 12, 60_000, true);
      return bytes;
    })(),
    /expected 60000 files in the directory, got/,
  ],
  [
    "another file in it",
    zipOf([{ name: "a.txt", bytes: member }]),
    /expected a file that ends in \.npy in an npz archive/,
  ],
];

const field = (number: number, bytes: Uint8Array): Uint8Array =>
  bytesOf((number << 3) | 2, bytes.length, bytes);
const onnxOf = (...tensors: Uint8Array[]): Uint8Array =>
  bytesOf(8, 9, field(7, bytesOf(...tensors.map((tensor) => field(5, tensor)))));
const named = field(8, bytesOf("w"));
const onnxCases: [string, Uint8Array, RegExp][] = [
  ["no bytes", new Uint8Array(0), /expected a model of ONNX with a version and one graph, got no version/],
  [
    "a graph longer than the file",
    bytesOf(8, 9, 0x3a, 0xff, 0xff, 0x7f),
    /expected 2097151 bytes of field 7 before offset 6/,
  ],
  ["a number without an end", bytesOf(8, ...new Array(12).fill(0xff)), /a number of at most 10 bytes/],
  ["a field of number 0", bytesOf(8, 9, 2, 0), /got number 0 of wire type 2/],
  ["an initializer without a name", onnxOf(bytesOf(8, 1, 16, 1)), /an initializer with a name/],
  [
    "a name twice",
    onnxOf(bytesOf(16, 1, 8, 0, named), bytesOf(16, 1, 8, 0, named)),
    /tensor "w" at offset \d+: expected a name once/,
  ],
  ["a type of 99", onnxOf(bytesOf(16, 99, named)), /an element type of ONNX, got number 99/],
  [
    "values that are too few",
    onnxOf(bytesOf(8, 4, 16, 1, named, field(9, new Uint8Array(8)))),
    /expected 16 bytes for FLOAT \[4\], got 8/,
  ],
  [
    "a negative size",
    onnxOf(bytesOf(8, ...new Array(9).fill(0xff), 1, 16, 1, named)),
    /at most 64 sizes from 0 on, got -1/,
  ],
  [
    "values twice",
    onnxOf(bytesOf(8, 1, 16, 1, named, field(9, new Uint8Array(4)), field(4, new Uint8Array(4)))),
    /expected values once/,
  ],
];

const ctName = (name: string): Uint8Array => bytesOf(uint16(name.length + 1), name, 0);
const ctOf = (count: number, ...variables: Uint8Array[]): Uint8Array =>
  bytesOf(uint32(6), ctName("S"), uint32(1, count), ...variables);
const variable = (name: string, shape: number[], type: number, size: number, stored = size): Uint8Array =>
  bytesOf(ctName(name), shape.length, uint32(...shape), type, uint32(size), new Uint8Array(stored));
const ctCases: [string, Uint8Array, RegExp][] = [
  ["version 7", uint32(7, 0), /version 1 to 6, got version 7/],
  ["a name without its zero", bytesOf(uint32(6), uint16(1), "S"), /as UTF-8 that ends with 0 at offset 6/],
  [
    "more variables than there are",
    ctOf(4_000_000_000, variable("w", [1], 0, 4), uint32(0)),
    /the name of variable 1 of 4000000000/,
  ],
  [
    "a name twice",
    ctOf(2, variable("w", [1], 0, 4), variable("w", [1], 0, 4), uint32(0)),
    /tensor "w" once, got it twice/,
  ],
  [
    "an unknown type",
    ctOf(1, variable("w", [1], 9, 4), uint32(0)),
    /a type of CTranslate2 before offset \d+, got number 9/,
  ],
  [
    "a size that lies",
    ctOf(1, variable("w", [2], 0, 4), uint32(0)),
    /expected 8 bytes for float32 \[2\] before offset \d+, got 4/,
  ],
  [
    "values cut off",
    ctOf(1, variable("w", [9], 0, 36, 4)),
    /the values of tensor "w" of 36 bytes at offset \d+, got the end/,
  ],
  [
    "a scale of another size",
    ctOf(2, variable("w", [2], 1, 2), variable("w_scale", [3], 0, 12), uint32(0)),
    /one for each of its 2 rows/,
  ],
  [
    "an alias of nothing",
    ctOf(0, uint32(1), ctName("a"), ctName("b")),
    /a tensor for the alias "a", got "b"/,
  ],
  ["bytes behind the end", ctOf(0, uint32(0), uint32(0)), /4? ?.*some of which belong to no tensor/],
];

const llamaCases: [string, Uint8Array, RegExp][] = [
  ["a file cut off", uint32(8, 6), /got 8 bytes/],
  ["a later version", uint32(0x616b3432, 1, 0, 0, 0, 0, 0), /a later version \(ak42\)/],
  ["sizes that do not fit each other", uint32(8, 6, 1, 3, 1, 5, 3), /the sizes 8, 6, 1, 3, 1, 5, 3/],
  [
    "sizes that do not make the file",
    uint32(8, 6, 1, 2, 1, 5, 3),
    /28 bytes where the sizes in its header make \d+/,
  ],
  ["sizes that overflow", uint32(0x7ffffffe, 0x7fffffff, 9999, 1, 1, 0x7fffffff, 0x7fffffff), /make \d{20,}/],
];

describe.each([
  ["readNumpy", readNumpy, npyCases],
  ["readNumpy of an archive", readNumpy, zipCases],
  ["readOnnx", readOnnx, onnxCases],
  ["readCTranslate2", readCTranslate2, ctCases],
  ["readLlama2c", readLlama2c, llamaCases],
] as const)("%s", (_, open, cases) => {
  it.each(cases)("refuses %s", async (__, bytes, message) => {
    const start = performance.now();
    const attempt = async (): Promise<unknown> => (await open(bytes)).hosts();
    await expect(attempt()).rejects.toThrow(message);
    await expect(attempt()).rejects.toThrow(WeightsError);
    expect(performance.now() - start).toBeLessThan(30_000);
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
  });
});

describe("archives", () => {
  it("are inflated no further than what they say", async () => {
    const { bytes, deflated } = zeros(5_000_000);
    // 5 kB that give 5 MB, said to give 1,000 bytes
    const bomb = zipOf([{ name: "z.npy", bytes, deflated: { ...deflated!, size: 1000 } }]);
    const archive = await ZipArchive.open(memorySource(bomb, "bomb.npz"), undefined);
    await expect(archive.readAll("z.npy", undefined)).rejects.toThrow(
      /^bomb\.npz: "z\.npy" at offset 0: expected 1000 bytes when inflated, got at least \d+; the file is damaged/,
    );
  });

  it("must have the bytes of their checksum", async () => {
    const bytes = zipOf([{ name: "a.npy", bytes: member }]);
    bytes[30 + "a.npy".length + member.length - 1] ^= 1;
    await expect((async () => (await readNumpy(bytes)).hosts())()).rejects.toThrow(
      /expected bytes with the checksum [\da-f]{8}, got [\da-f]{8}/,
    );
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });

  it("cut off anywhere are refused", async () => {
    const whole = twoMembers();
    for (let length = 0; length < whole.length; length++)
      await expect(readWeights(whole.slice(0, length))).rejects.toThrow(WeightsError);
  });
});
