import { assertOptions } from "../../arguments.js";
import { InputError } from "../../errors.js";
import type { Shape } from "../../shape.js";
import type { SafetensorsDType } from "../dtypes.js";
import { type Pending, prepareInputs, type SafetensorsInputs, startReads } from "../inputs.js";
import { replaceFiles } from "../replace-files.js";
import { crc32 } from "../zip/crc32.js";

/** Options of {@link writeNpz} and {@link saveNpz}. */
export interface NpzOptions {
  /** Whether arrays are deflated, as `np.savez_compressed` does. Default false, as `np.savez`. */
  readonly compress?: boolean;
  /** Aborts; a file that was there before stays as it was. */
  readonly signal?: AbortSignal;
}

const DESCRIPTIONS: Partial<Record<SafetensorsDType, string>> = {
  BOOL: "|b1",
  U8: "|u1",
  I8: "|i1",
  U16: "<u2",
  I16: "<i2",
  F16: "<f2",
  U32: "<u4",
  I32: "<i4",
  F32: "<f4",
  U64: "<u8",
  I64: "<i8",
  F64: "<f8",
  C64: "<c8",
};

const MAGIC = "\x93NUMPY\x01\x00";
const HEADER_ALIGNMENT = 64;
/** NumPy leaves room for the first axis to grow to this many digits. */
const MOST_DIGITS = 21;
/** What the 32-bit fields of a zip archive hold. */
const MOST_BYTES = 0xffffffff;
const MOST_FILES = 0xffff;
/** 1 January 1980, the first day of the format: the same arrays give the same file. */
const DATE = 0x21;
const DEFLATED = 8;

/** Header of an array, as `np.save` writes it. */
function npyHeader(description: string, shape: Shape): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const spare = shape.length === 0 ? 0 : MOST_DIGITS - String(shape[0]).length;
  const text = `{'descr': '${description}', 'fortran_order': False, 'shape': (${sizes}), }${" ".repeat(spare)}`;
  const before = MAGIC.length + 2;
  const padding = HEADER_ALIGNMENT - ((before + text.length + 1) % HEADER_ALIGNMENT);
  const length = text.length + padding + 1;
  const header = Uint8Array.from(`${MAGIC}..${text}${" ".repeat(padding)}\n`, (letter) =>
    letter.charCodeAt(0),
  );
  new DataView(header.buffer).setUint16(MAGIC.length, length, true);
  return header;
}

async function deflate(parts: readonly Uint8Array[]): Promise<Uint8Array> {
  const stream = new Blob(parts as Uint8Array<ArrayBuffer>[])
    .stream()
    .pipeThrough(new CompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

interface Member {
  readonly name: Uint8Array;
  readonly isAscii: boolean;
  readonly crc: number;
  readonly stored: number;
  readonly size: number;
  readonly offset: number;
}

/** Numbers of 2 or 4 bytes, little-endian. */
function fields(...values: readonly (readonly [bytes: 2 | 4, value: number])[]): Uint8Array {
  const bytes = new Uint8Array(values.reduce((sum, [length]) => sum + length, 0));
  const view = new DataView(bytes.buffer);
  let offset = 0;
  for (const [length, value] of values) {
    if (length === 2) view.setUint16(offset, value, true);
    else view.setUint32(offset, value, true);
    offset += length;
  }
  return bytes;
}

/** What stands both before a file and in the directory at the end. */
function described(
  { name, isAscii, crc, stored, size }: Member,
  method: number,
): readonly (readonly [2 | 4, number])[] {
  const utf8 = isAscii ? 0 : 0x800;
  return [
    [2, 20],
    [2, utf8],
    [2, method],
    [2, 0],
    [2, DATE],
    [4, crc],
    [4, stored],
    [4, size],
    [2, name.length],
    [2, 0],
  ];
}

/** The archive piece by piece; one array is in memory at a time. */
async function* pieces(
  entries: ReadonlyMap<string, Pending>,
  { compress = false, signal }: NpzOptions,
): AsyncGenerator<Uint8Array> {
  const method = compress ? DEFLATED : 0;
  const members: Member[] = [];
  let offset = 0;
  for (const [key, { dtype, shape, bytes }] of entries) {
    signal?.throwIfAborted();
    const header = npyHeader(DESCRIPTIONS[dtype]!, shape);
    const values = await bytes(signal);
    const parts = compress ? [await deflate([header, values])] : [header, values];
    const name = new TextEncoder().encode(`${key}.npy`);
    const member = {
      name,
      isAscii: name.length === key.length + 4,
      crc: crc32(values, crc32(header)),
      stored: parts.reduce((sum, { byteLength }) => sum + byteLength, 0),
      size: header.byteLength + values.byteLength,
      offset,
    };
    members.push(member);
    for (const piece of [fields([4, 0x04034b50], ...described(member, method)), name, ...parts]) {
      yield piece;
      offset += piece.byteLength;
    }
  }
  const start = offset;
  for (const member of members) {
    const entry = fields(
      [4, 0x02014b50],
      [2, 20],
      ...described(member, method),
      [2, 0],
      [2, 0],
      [2, 0],
      [4, 0],
      [4, member.offset],
    );
    yield entry;
    yield member.name;
    offset += entry.byteLength + member.name.byteLength;
  }
  const count = members.length;
  yield fields(
    [4, 0x06054b50],
    [2, 0],
    [2, 0],
    [2, count],
    [2, count],
    [4, offset - start],
    [4, start],
    [2, 0],
  );
}

/** @throws InputError for what NumPy or an archive cannot hold. */
function prepare(operation: string, tensors: SafetensorsInputs, options: NpzOptions): Map<string, Pending> {
  assertOptions(operation, options, ["compress?", "signal"]);
  options.signal?.throwIfAborted();
  const entries = prepareInputs(operation, tensors);
  let total = 0;
  for (const [name, { dtype, byteLength }] of entries) {
    if (!Object.hasOwn(DESCRIPTIONS, dtype))
      throw new InputError(
        `${operation}: expected a dtype that NumPy has for ${JSON.stringify(name)}, got ${dtype}; write F32 or use safetensors`,
      );
    total += byteLength + 2 * new TextEncoder().encode(name).length + 1024;
  }
  if (total > MOST_BYTES || entries.size > MOST_FILES)
    throw new InputError(
      `${operation}: expected at most ${MOST_BYTES} bytes in ${MOST_FILES} arrays, got ${total} in ${entries.size}; use safetensors`,
    );
  return startReads(entries, options.signal);
}

/**
 * The bytes of an archive of NumPy's arrays, which `np.load` reads; each array lies in it as `np.save` writes it.
 * @param tensors By name, any shape, as {@link writeSafetensors} takes them; NumPy has no BF16.
 * @throws InputError for something that cannot be stored, and above 4 GiB.
 * @see https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * @example
 * const bytes = await writeNpz({ weight, bias }, { compress: true });
 */
export async function writeNpz(tensors: SafetensorsInputs, options: NpzOptions = {}): Promise<Uint8Array> {
  const entries = prepare("writeNpz", tensors, options);
  const parts: Uint8Array[] = [];
  for await (const piece of pieces(entries, options)) parts.push(piece);
  options.signal?.throwIfAborted();
  const file = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let offset = 0;
  for (const part of parts) {
    file.set(part, offset);
    offset += part.byteLength;
  }
  return file;
}

/**
 * Writes an archive of NumPy's arrays (Node), all or nothing, as {@link saveSafetensors} does.
 * @param path Where to; its folder must exist.
 * @throws InputError as {@link writeNpz} and in a browser, WeightsError when the disk refuses.
 * @example
 * await saveNpz("weights.npz", await model.stateDict());
 */
export async function saveNpz(
  path: string,
  tensors: SafetensorsInputs,
  options: NpzOptions = {},
): Promise<void> {
  const entries = prepare("saveNpz", tensors, options);
  await replaceFiles("saveNpz", [{ path, pieces: () => pieces(entries, options) }], options.signal);
}
