import { WeightsError } from "../../errors.js";
import { formatShape } from "../../shape.js";
import { ggufType } from "./blocks.js";
import { Cursor } from "./cursor.js";

type Numbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

/** A value of GGUF's metadata; a 64-bit integer is bigint only where a number would round. Arrays of numbers are typed. */
export type GgufValue = number | bigint | boolean | string | Numbers | readonly GgufValue[];

/** Where a tensor lies in a file. */
export interface GgufInfo {
  /** `F32`, `Q4_K` … */
  readonly dtype: string;
  /** PyTorch's order: the file itself lists the axis that runs fastest first. */
  readonly shape: readonly number[];
  /** First byte, from the start of the file. */
  readonly start: number;
  /** Behind the last byte. */
  readonly end: number;
}

/** What the front of a file says. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufInfo>;
}

const MAGIC = [0x47, 0x47, 0x55, 0x46]; // "GGUF"
const VERSIONS = [2, 3];
/** Tensors, and entries of metadata: each costs more memory than file. The largest models have a few thousand. */
const MOST_ENTRIES = 100_000;
const MOST_NESTED_ARRAYS = 10_000;
const MAX_DEPTH = 4;
const MAX_RANK = 8;
const DEFAULT_ALIGNMENT = 32;
/** A name's length, rank, type and offset. */
const LEAST_TENSOR_BYTES = 24;
/** A key's length, its type and a value. */
const LEAST_ENTRY_BYTES = 13;

const UINT32 = 4;
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

/** Numbers by their type in the file: bytes of one, and a view of many. */
const NUMBERS: Readonly<
  Record<number, { readonly bytes: number; readonly view: (buffer: ArrayBuffer) => Numbers }>
> = {
  0: { bytes: 1, view: (buffer) => new Uint8Array(buffer) },
  1: { bytes: 1, view: (buffer) => new Int8Array(buffer) },
  2: { bytes: 2, view: (buffer) => new Uint16Array(buffer) },
  3: { bytes: 2, view: (buffer) => new Int16Array(buffer) },
  [UINT32]: { bytes: 4, view: (buffer) => new Uint32Array(buffer) },
  5: { bytes: 4, view: (buffer) => new Int32Array(buffer) },
  6: { bytes: 4, view: (buffer) => new Float32Array(buffer) },
  10: { bytes: 8, view: (buffer) => new BigUint64Array(buffer) },
  11: { bytes: 8, view: (buffer) => new BigInt64Array(buffer) },
  12: { bytes: 8, view: (buffer) => new Float64Array(buffer) },
};

/** Whether a file starts as GGUF does. @param front Its first 4 bytes, or more. */
export function isGguf(front: Uint8Array): boolean {
  return MAGIC.every((byte, index) => front[index] === byte);
}

/**
 * Reads and checks the front of a file: every tensor lies inside the file, aligned, and none on another.
 * @param file Name for errors.
 * @param bytes The front of the file, as much as is at hand.
 * @throws WeightsError that names file, tensor and offset, `HeaderGoesOn` when more bytes are needed.
 */
export function parseGgufHeader(file: string, bytes: Uint8Array, fileSize: number): GgufHeader {
  const cursor = new Cursor(file, bytes, fileSize);
  if (!isGguf(bytes))
    throw new WeightsError(`${file}: expected a file that starts with "GGUF", got another format`);
  cursor.offset = MAGIC.length;
  const version = cursor.uint32("the version");
  if (!VERSIONS.includes(version))
    throw new WeightsError(
      `${file}: expected GGUF version 2 or 3, little-endian, got ${version}${version !== 0 && version % 65536 === 0 ? ", which is big-endian" : ""}; convert it with llama.cpp`,
    );
  const counts = { tensors: LEAST_TENSOR_BYTES, "entries of metadata": LEAST_ENTRY_BYTES };
  const [tensorCount, entryCount] = Object.entries(counts).map(([what, least]) => {
    const count = cursor.uint64(`the number of ${what}`);
    const most = Math.min(MOST_ENTRIES, Math.floor((fileSize - cursor.offset) / least));
    if (count > most)
      throw new WeightsError(
        `${file}: expected at most ${most} ${what} in a file of ${fileSize} bytes, got ${count}; the file is damaged`,
      );
    return count;
  });
  const metadata = new Map<string, GgufValue>();
  const nested = { count: 0 };
  for (let index = 0; index < entryCount; index++) {
    const key = cursor.string("a key of the metadata");
    if (metadata.has(key))
      throw new WeightsError(`${file}: expected metadata ${JSON.stringify(key)} once, got it twice`);
    metadata.set(key, parseValue(cursor, key, nested));
  }
  const tensors = parseTensors(cursor, tensorCount);
  return { metadata, tensors: placeTensors(cursor, tensors, alignmentOf(file, metadata)) };
}

function parseValue(cursor: Cursor, key: string, nested: { count: number }): GgufValue {
  const what = `metadata ${JSON.stringify(key)}`;
  const elements = (type: number, count: number, depth: number): GgufValue => {
    if (Object.hasOwn(NUMBERS, type)) {
      const { bytes, view } = NUMBERS[type];
      return view(cursor.copy(what, count, bytes));
    }
    const read = element(type, depth);
    const least = type === BOOL ? 1 : type === STRING ? 8 : 12;
    if (count * least > cursor.fileSize - cursor.offset)
      throw new WeightsError(
        `${cursor.file}: expected ${what} inside the file, got ${count} elements at offset ${cursor.offset}; the file is cut off or damaged`,
      );
    const list: GgufValue[] = [];
    for (let index = 0; index < count; index++) list.push(read());
    return list;
  };
  const element = (type: number, depth: number): (() => GgufValue) => {
    if (type === STRING) return () => cursor.string(what);
    if (type === BOOL)
      return () => {
        const byte = cursor.uint8(what);
        if (byte > 1)
          throw new WeightsError(
            `${cursor.file}: expected 0 or 1 for ${what}, got ${byte} at offset ${cursor.offset - 1}; the file is damaged`,
          );
        return byte === 1;
      };
    if (type !== ARRAY)
      throw new WeightsError(
        `${cursor.file}: expected a type from 0 to 12 for ${what}, got ${type} at offset ${cursor.offset}; the file is damaged`,
      );
    return () => {
      if (depth === MAX_DEPTH || (depth > 0 && ++nested.count > MOST_NESTED_ARRAYS))
        throw new WeightsError(
          `${cursor.file}: expected ${what} with at most ${MOST_NESTED_ARRAYS} arrays in arrays, ${MAX_DEPTH} deep, got more at offset ${cursor.offset}`,
        );
      const inner = cursor.uint32(`the type of ${what}`);
      return elements(inner, cursor.uint64(`the length of ${what}`), depth + 1);
    };
  };
  const type = cursor.uint32(`the type of ${what}`);
  if (!Object.hasOwn(NUMBERS, type)) return element(type, 0)();
  const [value] = elements(type, 1, 0) as Uint8Array | BigInt64Array;
  const isSafe = typeof value === "bigint" && Number.isSafeInteger(Number(value));
  return isSafe ? Number(value) : value;
}

function alignmentOf(file: string, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get("general.alignment") ?? DEFAULT_ALIGNMENT;
  if (typeof alignment !== "number" || alignment < 1 || 2 ** Math.round(Math.log2(alignment)) !== alignment)
    throw new WeightsError(
      `${file}: expected a power of 2 for general.alignment, got ${String(alignment)}; the file is damaged`,
    );
  return alignment;
}

interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly byteLength: number;
  /** From the start of the data. */
  readonly offset: number;
}

function parseTensors(cursor: Cursor, count: number): Entry[] {
  const names = new Set<string>();
  return Array.from({ length: count }, () => {
    const name = cursor.string("a tensor's name");
    const where = `${cursor.file}: tensor ${JSON.stringify(name)}`;
    if (names.has(name)) throw new WeightsError(`${where}: expected a name once, got it twice`);
    names.add(name);
    const rank = cursor.uint32(`the rank of ${JSON.stringify(name)}`);
    if (rank > MAX_RANK) throw new WeightsError(`${where}: expected at most ${MAX_RANK} axes, got ${rank}`);
    const sizes = Array.from({ length: rank }, () => cursor.uint64(`a size of ${JSON.stringify(name)}`));
    const number = cursor.uint32(`the type of ${JSON.stringify(name)}`);
    const offset = cursor.uint64(`the offset of ${JSON.stringify(name)}`);
    const type = ggufType(number);
    if (type === undefined)
      throw new WeightsError(
        `${where}: expected a type of the format, got number ${number}; the file is damaged`,
      );
    const row = sizes[0] ?? 1;
    if (row % type.values !== 0)
      throw new WeightsError(
        `${where}: expected rows of a multiple of ${type.values} values for ${type.name}, got ${row}`,
      );
    const shape = sizes.reverse();
    const size = shape.reduce((product, length) => product * BigInt(length), 1n);
    const byteLength = (size / BigInt(type.values)) * BigInt(type.bytes);
    if (byteLength > BigInt(cursor.fileSize))
      throw new WeightsError(
        `${where}: expected values inside the file of ${cursor.fileSize} bytes, got ${byteLength} bytes for ${type.name} ${formatShape(shape)}; the file is cut off or damaged`,
      );
    return { name, dtype: type.name, shape, byteLength: Number(byteLength), offset };
  });
}

/** Where the tensors lie; the data starts behind the header at the next multiple of the alignment. */
function placeTensors(
  { file, fileSize, offset: headerEnd }: Cursor,
  entries: readonly Entry[],
  alignment: number,
): Map<string, GgufInfo> {
  const dataStart = Math.ceil(headerEnd / alignment) * alignment;
  const tensors = new Map<string, GgufInfo>();
  for (const { name, dtype, shape, byteLength, offset } of entries) {
    const where = `${file}: tensor ${JSON.stringify(name)}`;
    const start = dataStart + offset;
    if (offset % alignment !== 0)
      throw new WeightsError(
        `${where}: expected an offset that is a multiple of ${alignment}, got ${offset}`,
      );
    if (start + byteLength > fileSize)
      throw new WeightsError(
        `${where}: expected ${byteLength} bytes inside the file of ${fileSize}, got offset ${start}; the file is cut off`,
      );
    tensors.set(name, { dtype, shape, start, end: start + byteLength });
  }
  let filled = dataStart;
  for (const [name, { start, end }] of [...tensors].sort(
    ([, a], [, b]) => a.start - b.start || a.end - b.end,
  )) {
    if (start < filled && end > start)
      throw new WeightsError(
        `${file}: tensor ${JSON.stringify(name)}: expected bytes from offset ${filled} on, got ${start}; the tensors overlap`,
      );
    filled = Math.max(filled, end);
  }
  return tensors;
}
