import { readFile } from "node:fs/promises";
import { getHeapStatistics } from "node:v8";
import { deflateRawSync } from "node:zlib";
import { WeightsError } from "../errors.js";
import { memorySource } from "../weights/byte-source.js";
import { openCTranslate2 } from "../weights/ctranslate2/read-ctranslate2.js";
import { openGguf } from "../weights/gguf/read-gguf.js";
import { openLlama2c } from "../weights/llama2c/read-llama2c.js";
import { openNpy, openNpz } from "../weights/numpy/read-numpy.js";
import { openOnnx } from "../weights/onnx/read-onnx.js";
import { readSafetensors } from "../weights/read-safetensors.js";
import { encodeSafetensors } from "../weights/safetensors.js";
import type { ByteSource } from "../weights/sources.js";
import { openTorch } from "../weights/torch/read-torch.js";
import type { WeightsFile } from "../weights/weights-file.js";
import { ZipArchive } from "../weights/zip/archive.js";
import { crc32 } from "../weights/zip/crc32.js";
import { mutate } from "./mutations.js";
import { type ZipFile, zipOf } from "./zip-files.js";

/** Longer than that no file may take. */
const MOST_MILLISECONDS = 2000;
/** Beside twice the file. */
const MOST_EXTRA_BYTES = 64 * 2 ** 20;
/** The memory in use is asked for once in so many files: the question costs more than a small file. */
const FILES_A_SAMPLE = 8;

type Seed = (seed: number) => Uint8Array;

const whole =
  (bytes: Uint8Array): Seed =>
  (seed) =>
    mutate(bytes, seed);

/** Mutates one file of an archive, with a checksum that is right again. */
async function inside(archive: Uint8Array, isDeflated: boolean): Promise<Seed> {
  const opened = await ZipArchive.open(memorySource(archive), undefined);
  const packed = (name: string, bytes: Uint8Array): ZipFile => {
    const crc = crc32(bytes);
    if (!isDeflated) return { name, bytes, crc };
    return { name, bytes: deflateRawSync(bytes), crc, deflated: { size: bytes.length, crc } };
  };
  const members: { bytes: Uint8Array; file: ZipFile }[] = [];
  for (const name of opened.entries.keys()) {
    const bytes = await opened.readAll(name, undefined);
    members.push({ bytes, file: packed(name, bytes) });
  }
  return (seed) => {
    const files = members.map(({ file }) => file);
    const chosen = seed % members.length;
    files[chosen] = packed(files[chosen].name, mutate(members[chosen].bytes, seed));
    return zipOf(files);
  };
}

const four = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
const safetensors = encodeSafetensors(
  new Map([
    ["w", { dtype: "F32", shape: [2, 2], bytes: four }],
    ["b", { dtype: "I8", shape: [4], bytes: four.slice(0, 4) }],
  ]),
  { metadata: { format: "pt" } },
);

/** One tensor of Q8_0, two entries of metadata. */
function tinyGguf(): Uint8Array {
  const pieces: Uint8Array[] = [];
  const number = (value: number | bigint): void => {
    pieces.push(
      new Uint8Array((typeof value === "number" ? Uint32Array.of(value) : BigUint64Array.of(value)).buffer),
    );
  };
  const text = (value: string): void => {
    number(BigInt(value.length));
    pieces.push(new TextEncoder().encode(value));
  };
  pieces.push(new TextEncoder().encode("GGUF"));
  for (const value of [3, 1n, 2n]) number(value);
  text("general.name");
  number(8);
  text("tiny");
  text("list");
  for (const value of [9, 4, 2n, 7, 8]) number(value);
  text("w");
  for (const value of [1, 32n, 8, 0n]) number(value);
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  pieces.push(new Uint8Array(Math.ceil(length / 32) * 32 - length), new Uint8Array(34).fill(3));
  return new Uint8Array(Buffer.concat(pieces));
}

export interface FuzzTarget {
  readonly open: (source: ByteSource) => Promise<WeightsFile>;
  readonly seeds: readonly Seed[];
}

const torch = (source: ByteSource) => openTorch(source);
/** Each reader with small files to begin from. @param folder `fixtures/weights` of this package. */
export async function fuzzTargets(folder: URL): Promise<Record<string, FuzzTarget>> {
  const fixture = async (file: string): Promise<Uint8Array> =>
    new Uint8Array(await readFile(new URL(file, folder)));
  return {
    safetensors: { open: (source) => readSafetensors(source), seeds: [whole(safetensors)] },
    gguf: { open: openGguf, seeds: [whole(tinyGguf())] },
    "torch zip": {
      open: torch,
      seeds: [
        whole(await fixture("tiny.pt")),
        await inside(await fixture("tiny.pt"), false),
        await inside(await fixture("training.pt"), false),
      ],
    },
    "torch legacy": {
      open: torch,
      seeds: [whole(await fixture("tiny-legacy.pt")), whole(await fixture("legacy-protocol-4.pt"))],
    },
    npy: { open: openNpy, seeds: [whole(await fixture("tiny.npy")), whole(await fixture("matrix.npy"))] },
    npz: {
      open: openNpz,
      seeds: [
        whole(await fixture("tiny.npz")),
        whole(await fixture("tiny-deflated.npz")),
        await inside(await fixture("tiny.npz"), false),
        await inside(await fixture("tiny.npz"), true),
      ],
    },
    onnx: { open: openOnnx, seeds: [whole(await fixture("tiny.onnx")), whole(await fixture("types.onnx"))] },
    ctranslate2: {
      open: openCTranslate2,
      seeds: [whole(await fixture("ctranslate2-int8.bin")), whole(await fixture("ctranslate2-float16.bin"))],
    },
    llama2c: { open: openLlama2c, seeds: [whole(await fixture("llama2c-tied.bin"))] },
  };
}

const PROTOTYPES = [Object, Array, Map, Function, String, Uint8Array].map(({ prototype }) => prototype);
const properties = (): string => PROTOTYPES.map((prototype) => Reflect.ownKeys(prototype).length).join();

const memory = (): number => {
  // what process.memoryUsage gives, without asking the system for the process's pages
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
};

/** Opens a file and reads everything in it. @returns whether that succeeded */
async function readAll(open: FuzzTarget["open"], bytes: Uint8Array): Promise<boolean> {
  let weights: WeightsFile;
  try {
    weights = await open(memorySource(bytes, "mutated"));
  } catch (error) {
    if (error instanceof WeightsError) return false;
    throw error;
  }
  let isWhole = true;
  for (const name of weights.names)
    try {
      const { shape, values } = await weights.host(name);
      const count = shape.reduce((product, size) => product * size, 1);
      if (count !== values.length) throw new WrongResult(`${name}: ${values.length} values for [${shape}]`);
    } catch (error) {
      if (!(error instanceof WeightsError)) throw error;
      isWhole = false;
    }
  return isWhole;
}

/** A reader gave something that cannot be. */
class WrongResult extends Error {}

/**
 * Reads mutated files. @returns how many were refused
 * @throws WrongResult that names the seed of a file which gave another error than `WeightsError`, took longer than two
 * seconds or more memory than twice its size and 64 MiB, or changed a prototype.
 */
export async function fuzz(
  { open, seeds }: FuzzTarget,
  { files, firstSeed }: { readonly files: number; readonly firstSeed: number },
): Promise<number> {
  const limit = Error.stackTraceLimit;
  // a stack for each refused file would take most of the time
  Error.stackTraceLimit = 0;
  const before = properties();
  let refused = 0;
  let used = memory();
  let most = 0;
  try {
    for (let index = 0; index < files; index++) {
      const seed = firstSeed + index;
      const bytes = seeds[index % seeds.length](seed);
      const fail = (problem: string): never => {
        throw new WrongResult(`seed ${seed}: ${problem}`);
      };
      const start = performance.now();
      try {
        if (!(await readAll(open, bytes))) refused++;
      } catch (error) {
        fail(error instanceof Error ? `${error.name} ${error.message}` : String(error));
      }
      if (performance.now() - start > MOST_MILLISECONDS) {
        // a pause of the machine is not the reader's: the same file again tells
        const again = performance.now();
        await readAll(open, bytes);
        if (performance.now() - again > MOST_MILLISECONDS)
          fail(`${Math.round(performance.now() - again)} ms for ${bytes.length} bytes`);
      }
      most = Math.max(most, bytes.length);
      if (index % FILES_A_SAMPLE === 0) {
        const now = memory();
        if (now - used > 2 * most + MOST_EXTRA_BYTES) fail(`${now - used} bytes of memory for ${most}`);
        used = now;
        most = 0;
      }
    }
    if (properties() !== before) throw new WrongResult("a prototype has changed");
  } finally {
    Error.stackTraceLimit = limit;
  }
  return refused;
}
