import { WeightsError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { decode, type HostEntry, type SafetensorsDType } from "../dtypes.js";
import { isFileName } from "../file-names.js";
import { elementsOf } from "../strided.js";
import type { LazyEntry } from "../weights-file.js";
import { type ProtobufField, type ProtobufReader, packedVarints } from "./protobuf.js";

/** A field of TensorProto that holds values, by its number (onnx.proto). */
const VALUES: Readonly<Record<number, string>> = {
  4: "float_data",
  5: "int32_data",
  7: "int64_data",
  9: "raw_data",
  10: "double_data",
  11: "uint64_data",
};
const MOST_AXES = 64;
/** Values that are not packed come one a piece, as protobuf 2 wrote them. */
const MOST_PIECES = 1_000_000;
/** Pieces that lie so near to each other are read at once. */
const READ_BYTES = 2 ** 20;

interface ElementType {
  readonly name: string;
  readonly stored?: SafetensorsDType;
  readonly bytes?: number;
  /** The field that holds values where they are not in raw_data. */
  readonly field?: string;
}

/** By the number in the file (onnx.proto, `enum DataType`). */
const TYPES: Readonly<Record<number, ElementType>> = {
  1: { name: "FLOAT", stored: "F32", bytes: 4, field: "float_data" },
  2: { name: "UINT8", stored: "U8", bytes: 1, field: "int32_data" },
  3: { name: "INT8", stored: "I8", bytes: 1, field: "int32_data" },
  4: { name: "UINT16", stored: "U16", bytes: 2, field: "int32_data" },
  5: { name: "INT16", stored: "I16", bytes: 2, field: "int32_data" },
  6: { name: "INT32", stored: "I32", bytes: 4, field: "int32_data" },
  7: { name: "INT64", stored: "I64", bytes: 8, field: "int64_data" },
  8: { name: "STRING" },
  9: { name: "BOOL", stored: "BOOL", bytes: 1, field: "int32_data" },
  10: { name: "FLOAT16", stored: "F16", bytes: 2, field: "int32_data" },
  11: { name: "DOUBLE", stored: "F64", bytes: 8, field: "double_data" },
  12: { name: "UINT32", stored: "U32", bytes: 4, field: "uint64_data" },
  13: { name: "UINT64", stored: "U64", bytes: 8, field: "uint64_data" },
  14: { name: "COMPLEX64" },
  15: { name: "COMPLEX128" },
  16: { name: "BFLOAT16", stored: "BF16", bytes: 2, field: "int32_data" },
  17: { name: "FLOAT8E4M3FN" },
  18: { name: "FLOAT8E4M3FNUZ" },
  19: { name: "FLOAT8E5M2" },
  20: { name: "FLOAT8E5M2FNUZ" },
  21: { name: "UINT4" },
  22: { name: "INT4" },
  23: { name: "FLOAT4E2M1" },
  24: { name: "FLOAT8E8M0" },
  25: { name: "UINT2" },
  26: { name: "INT2" },
};

/** Reads a field's text. */
type KeepText = (part: ProtobufField, keep: (text: string) => void) => Promise<void>;

/** Where values lie; a field may come several times, then its parts follow each other. */
interface Parts {
  readonly field: string;
  readonly pieces: ({ readonly start: number; readonly end: number } | bigint)[];
}

/** Reads a TensorProto's description. Its values are read when they are asked for. */
export async function readInitializer(
  source: ByteSource,
  reader: ProtobufReader,
  field: ProtobufField,
): Promise<{ name: string; entry: LazyEntry }> {
  const at = `a tensor at offset ${field.start}`;
  const shape: bigint[] = [];
  const external = new Map<string, string>();
  const parts = new Map<string, Parts>();
  let code = 0;
  let name = "";
  let isExternal = false;
  const addShape = async (part: ProtobufField): Promise<void> => {
    if (part.wire === 0) shape.push(part.value);
    else if (part.end - part.start > 10 * MOST_AXES) shape.push(...new Array<bigint>(MOST_AXES + 1).fill(0n));
    else {
      const sizes = packedVarints(await reader.bytes(`the shape of ${at}`, part));
      if (sizes === undefined)
        throw new WeightsError(
          `${source.name}: expected sizes in ${at}, got other bytes at offset ${part.start}; the file is damaged`,
        );
      shape.push(...sizes);
    }
  };
  const keepText: KeepText = async (part, keep) =>
    keep(part.wire === 2 ? new TextDecoder().decode(await reader.bytes(`text of ${at}`, part)) : "");
  await reader.fields(at, field, (part) => {
    if (part.number === 1) return addShape(part);
    if (part.number === 2) code = Number(part.value);
    else if (part.number === 8)
      return keepText(part, (found) => {
        name = found;
      });
    else if (part.number === 13)
      return readPair(reader, part, keepText).then(([key, value]) => void external.set(key, value));
    else if (part.number === 14) isExternal = part.value === 1n;
    else if (Object.hasOwn(VALUES, part.number)) {
      const of = VALUES[part.number];
      const known = parts.get(of) ?? { field: of, pieces: [] };
      if (known.pieces.length >= MOST_PIECES)
        throw new WeightsError(
          `${source.name}: expected ${of} of ${at} in at most ${MOST_PIECES} pieces, got more; pack it (save the model with a newer onnx)`,
        );
      known.pieces.push(part.wire === 0 ? part.value : { start: part.start, end: part.end });
      parts.set(of, known);
    }
    return undefined;
  });
  const where = `${source.name}: tensor ${JSON.stringify(name)} at offset ${field.start}`;
  if (name === "") throw new WeightsError(`${where}: expected an initializer with a name, got one without`);
  const sizes = shape.map(Number);
  if (sizes.length > MOST_AXES || shape.some((size) => size > BigInt(Number.MAX_SAFE_INTEGER)))
    throw new WeightsError(
      `${where}: expected at most ${MOST_AXES} sizes from 0 on, got ${shape.slice(0, 8).map((size) => BigInt.asIntN(64, size))}; the file is damaged`,
    );
  const type = Object.hasOwn(TYPES, code) ? TYPES[code] : undefined;
  if (type === undefined)
    throw new WeightsError(`${where}: expected an element type of ONNX, got number ${code}`);
  const initializer = {
    source,
    where,
    type,
    shape: sizes,
    parts,
    external: isExternal ? external : undefined,
  };
  const load = planLoad(initializer);
  return { name, entry: { dtype: type.name, shape: sizes, where, load } };
}

async function readPair(
  reader: ProtobufReader,
  field: ProtobufField,
  keepText: KeepText,
): Promise<[string, string]> {
  let key = "";
  let value = "";
  await reader.fields("an entry of external_data", field, (part) => {
    if (part.number === 1)
      return keepText(part, (found) => {
        key = found;
      });
    if (part.number === 2)
      return keepText(part, (found) => {
        value = found;
      });
    return undefined;
  });
  return [key, value];
}

interface Initializer {
  readonly source: ByteSource;
  readonly where: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly parts: ReadonlyMap<string, Parts>;
  readonly external: ReadonlyMap<string, string> | undefined;
}

/** Checks what can be checked without reading values. */
function planLoad({
  source,
  where,
  type,
  shape,
  parts,
  external,
}: Initializer): (signal?: AbortSignal) => Promise<HostEntry> {
  const { stored, bytes: size, field } = type;
  if (stored === undefined || size === undefined || field === undefined)
    return async () => {
      throw new WeightsError(
        `${where}: expected an element type that tensors have, got ${type.name}, which is not supported`,
      );
    };
  const count = elementsOf(where, shape);
  const finish = (bytes: Uint8Array): HostEntry => decode(where, { dtype: stored, shape, bytes }, true);
  const assertBytes = (got: number): void => {
    if (got !== count * size)
      throw new WeightsError(
        `${where}: expected ${count * size} bytes for ${type.name} [${shape.join(", ")}], got ${got}; the file is damaged`,
      );
  };
  if (external !== undefined)
    return async (signal) =>
      finish(await readExternal({ source, where, external, bytes: count * size }, signal));
  const raw = parts.get("raw_data");
  const typed = parts.get(field);
  if (raw !== undefined && typed !== undefined && count > 0)
    throw new WeightsError(`${where}: expected values once, got raw_data and ${field}; the file is damaged`);
  const chosen = raw ?? typed;
  const isFixed = chosen === raw || field === "float_data" || field === "double_data";
  const pieces = (chosen?.pieces ?? []).filter(
    (piece) => typeof piece === "bigint" || piece.start < piece.end,
  );
  if (isFixed || chosen === undefined) {
    const ranges = pieces.map((piece) => (typeof piece === "bigint" ? { start: 0, end: 0 } : piece));
    assertBytes(ranges.reduce((sum, { start, end }) => sum + end - start, 0));
    return async (signal) => finish(await readPieces(source, ranges, signal));
  }
  return async (signal) => {
    const all: BigUint64Array[] = [];
    let length = 0;
    for (const piece of pieces) {
      const values =
        typeof piece === "bigint"
          ? BigUint64Array.of(piece)
          : packedVarints(await source.read(piece.start, piece.end, signal));
      if (values === undefined)
        throw new WeightsError(
          `${where}: expected numbers in ${field}, got other bytes; the file is damaged`,
        );
      all.push(values);
      length += values.length;
    }
    assertBytes(length * size);
    const bytes = new Uint8Array(count * size);
    let at = 0;
    for (const values of all)
      for (const value of values) {
        // the low bytes are the value: a half's bits, or an integer in two's complement
        let rest = value;
        for (let byte = 0; byte < size; byte++, rest >>= 8n) bytes[at++] = Number(rest & 255n);
      }
    return finish(bytes);
  };
}

async function readPieces(
  source: ByteSource,
  ranges: readonly { readonly start: number; readonly end: number }[],
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  signal?.throwIfAborted();
  if (ranges.length === 0) return new Uint8Array(0);
  if (ranges.length === 1) return source.read(ranges[0].start, ranges[0].end, signal);
  const bytes = new Uint8Array(ranges.reduce((sum, { start, end }) => sum + end - start, 0));
  let at = 0;
  let block = new Uint8Array(0);
  let blockStart = 0;
  for (const [index, { start, end }] of ranges.entries()) {
    if (start < blockStart || end > blockStart + block.length) {
      let last = index;
      while (
        last + 1 < ranges.length &&
        ranges[last + 1].start >= start &&
        ranges[last + 1].end - start <= READ_BYTES
      )
        last++;
      block = new Uint8Array(await source.read(start, ranges[last].end, signal));
      blockStart = start;
    }
    bytes.set(block.subarray(start - blockStart, end - blockStart), at);
    at += end - start;
  }
  return bytes;
}

/** Values in a file beside the model: `location`, `offset` and `length`. */
async function readExternal(
  {
    source,
    where,
    external,
    bytes,
  }: {
    readonly source: ByteSource;
    readonly where: string;
    readonly external: ReadonlyMap<string, string>;
    readonly bytes: number;
  },
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const location = external.get("location");
  if (!isFileName(location))
    throw new WeightsError(
      `${where}: expected external data in a file beside the model, got ${JSON.stringify(location)}`,
    );
  if (source.sibling === undefined)
    throw new WeightsError(
      `${where}: expected a model whose folder can be read, since the values lie in ${JSON.stringify(location)}, got a single file; give its path or URL`,
    );
  const number = (key: string, otherwise: number): number => {
    const text = external.get(key);
    const value = text === undefined ? otherwise : Number(text);
    if (text !== undefined && (!/^\d{1,16}$/.test(text) || !Number.isSafeInteger(value)))
      throw new WeightsError(
        `${where}: expected a number for ${key} of external data, got ${JSON.stringify(text)}`,
      );
    return value;
  };
  const start = number("offset", 0);
  const length = number("length", bytes);
  const file = await source.sibling(location, signal);
  if (length !== bytes || start + length > file.size)
    throw new WeightsError(
      `${where}: expected ${bytes} bytes in ${file.name}, got ${length} at offset ${start} of ${file.size}; the file is cut off or damaged`,
    );
  return bytes === 0 ? new Uint8Array(0) : file.read(start, start + length, signal);
}
