import { InputError } from "../errors.js";
import { formatShape, type Shape, sizeOf } from "../shape.js";
import {
  bitsOf,
  encodeValues,
  type HostEntry,
  isSafetensorsDType,
  rankOf,
  type SafetensorsDType,
  storedDType,
} from "./dtypes.js";
import { headerLength, PREFIX_BYTES, parseHeader } from "./header.js";

/** One tensor of a safetensors file, with its bytes as they are stored. */
export interface SafetensorsEntry {
  /** `F32`, `I64`, `BOOL` … */
  readonly dtype: SafetensorsDType;
  readonly shape: Shape;
  readonly bytes: Uint8Array;
}

/** What {@link parseSafetensors} gives. */
export interface ParsedSafetensors {
  /** In the order of the header; the bytes are views of the file. */
  readonly tensors: Map<string, SafetensorsEntry>;
  /** In the order of the header. It has no prototype: `__proto__` is a name like any other. */
  readonly metadata: Record<string, string>;
}

/** Options of what writes safetensors. */
export interface SafetensorsOptions {
  /** Text by name, in the order in which it is written. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A record of text without a prototype. */
export function metadataRecord(metadata: ReadonlyMap<string, string>): Record<string, string> {
  const record: Record<string, string> = Object.create(null);
  for (const [key, text] of metadata) record[key] = text;
  return record;
}

/**
 * Reads a whole file that is in memory.
 * @param file Name for errors.
 * @throws WeightsError for a damaged file.
 */
export function parseSafetensors(data: Uint8Array, file = "safetensors"): ParsedSafetensors {
  // never a Node Buffer: its slice() would share memory
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const length = headerLength(file, bytes, bytes.byteLength);
  const header = parseHeader(file, bytes.subarray(PREFIX_BYTES, PREFIX_BYTES + length), bytes.byteLength);
  const tensors = new Map<string, SafetensorsEntry>();
  for (const [name, { dtype, shape, start, end }] of header.tensors)
    tensors.set(name, { dtype, shape, bytes: bytes.subarray(start, end) });
  return { tensors, metadata: metadataRecord(header.metadata) };
}

/** A file in the order in which it is written. */
export interface SafetensorsLayout {
  /** Length, header and padding. */
  readonly head: Uint8Array;
  /** Names in the order of their bytes. */
  readonly order: readonly string[];
  /** Bytes of the whole file. */
  readonly byteLength: number;
}

/** By code point, as Rust compares strings: JavaScript's own order takes UTF-16 units. */
function compareCodePoints(a: string, b: string): number {
  const first = a[Symbol.iterator]();
  const second = b[Symbol.iterator]();
  for (;;) {
    const x = first.next();
    const y = second.next();
    if (x.done || y.done) return Number(y.done ?? false) - Number(x.done ?? false);
    const difference = x.value.codePointAt(0)! - y.value.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
}

/**
 * Plans a file byte for byte as the `safetensors` library does: widest dtype first, then by name; the header padded with
 * spaces to a multiple of 8.
 * @throws InputError for a name or text that the format cannot hold.
 */
export function planSafetensors(
  entries: ReadonlyMap<string, { readonly dtype: SafetensorsDType; readonly shape: Shape }>,
  { metadata }: SafetensorsOptions = {},
): SafetensorsLayout {
  const assertText = (what: string, text: unknown): void => {
    if (typeof text !== "string" || !isWellFormed(text))
      throw new InputError(`safetensors: expected well-formed text for ${what}, got ${JSON.stringify(text)}`);
  };
  const parts: string[] = [];
  if (metadata !== undefined) {
    for (const [key, text] of Object.entries(metadata)) {
      assertText("a name of the metadata", key);
      assertText(`metadata ${JSON.stringify(key)}`, text);
    }
    const pairs = Object.entries(metadata).map(
      ([key, text]) => `${JSON.stringify(key)}:${JSON.stringify(text)}`,
    );
    parts.push(`"__metadata__":{${pairs.join(",")}}`);
  }
  const order = [...entries].sort(
    ([a, first], [b, second]) => rankOf(second.dtype) - rankOf(first.dtype) || compareCodePoints(a, b),
  );
  let offset = 0;
  for (const [name, { dtype, shape }] of order) {
    assertText("a tensor's name", name);
    if (name === "__metadata__")
      throw new InputError("safetensors: expected a tensor's name, got __metadata__; it means the metadata");
    const end = offset + (sizeOf(shape) * bitsOf(dtype)) / 8;
    parts.push(
      `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":[${offset},${end}]}`,
    );
    offset = end;
  }
  const json = new TextEncoder().encode(`{${parts.join(",")}}`);
  const padded = Math.ceil(json.byteLength / 8) * 8;
  const head = new Uint8Array(PREFIX_BYTES + padded).fill(0x20);
  new DataView(head.buffer).setBigUint64(0, BigInt(padded), true);
  head.set(json, PREFIX_BYTES);
  return { head, order: order.map(([name]) => name), byteLength: head.byteLength + offset };
}

function isWellFormed(text: string): boolean {
  return !/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/.test(text);
}

/** Bytes of an entry, checked against its dtype and shape. @throws InputError when they do not fit. */
export function toStored(name: string, entry: SafetensorsEntry | HostEntry): SafetensorsEntry {
  const { shape } = entry;
  const stored: SafetensorsEntry =
    "bytes" in entry ? entry : { dtype: storedDType(entry.dtype), shape, bytes: encodeValues(entry) };
  if (!isSafetensorsDType(stored.dtype))
    throw new InputError(
      `safetensors: expected a dtype of the format for ${JSON.stringify(name)}, got ${String(stored.dtype)}`,
    );
  const expected = (sizeOf(shape) * bitsOf(stored.dtype)) / 8;
  if (stored.bytes.byteLength !== expected)
    throw new InputError(
      `safetensors: expected ${expected} bytes for ${JSON.stringify(name)} of ${stored.dtype} ${formatShape(shape)}, got ${stored.bytes.byteLength}`,
    );
  return stored;
}

/**
 * A file of values that the host has, byte-identical to what the `safetensors` library writes of them (which orders
 * metadata at random; here they keep their order).
 * @param entries Stored bytes, or host values as `HostEntry` has them, by name.
 * @throws InputError when values do not fit their shape, or for a name that the format cannot hold.
 */
export function encodeSafetensors(
  entries: ReadonlyMap<string, SafetensorsEntry | HostEntry>,
  options: SafetensorsOptions = {},
): Uint8Array {
  const stored = new Map([...entries].map(([name, entry]) => [name, toStored(name, entry)]));
  const { head, order, byteLength } = planSafetensors(stored, options);
  const file = new Uint8Array(byteLength);
  file.set(head);
  let offset = head.byteLength;
  for (const name of order) {
    const { bytes } = stored.get(name)!;
    file.set(bytes, offset);
    offset += bytes.byteLength;
  }
  return file;
}
