import { WeightsError } from "../../errors.js";
import type { SafetensorsDType } from "../dtypes.js";
import { elementsOf } from "../strided.js";

/** An array of NumPy, before its values. */
export interface NpyHeader {
  /** As NumPy calls it: `<f4`, `|b1` … */
  readonly descr: string;
  readonly isFortranOrder: boolean;
  readonly shape: readonly number[];
  /** Where the values begin. */
  readonly dataStart: number;
}

/** How an element is stored; undefined for what has no place in a tensor (complex numbers, text, objects). */
export interface NpyType {
  readonly stored: SafetensorsDType;
  readonly bytes: number;
  readonly isBigEndian: boolean;
}

/** `\x93NUMPY`, version and the length of the header (2 or 4 bytes). */
const PREFIX_BYTES = 12;
/** NumPy's own limit is 10,000, which a structured type can pass. */
const MOST_HEADER_BYTES = 2 ** 20;
/** Bytes that are read first: NumPy pads headers to a multiple of 64, nearly all have 128. */
export const FIRST_BYTES = 1024;

const KINDS: Readonly<Record<string, SafetensorsDType>> = {
  b1: "BOOL",
  i1: "I8",
  i2: "I16",
  i4: "I32",
  i8: "I64",
  u1: "U8",
  u2: "U16",
  u4: "U32",
  u8: "U64",
  f2: "F16",
  f4: "F32",
  f8: "F64",
};

/** How elements of a type are stored. */
export function npyType(descr: string): NpyType | undefined {
  const [, order, kind] = /^([<>|=]?)([a-z]\d)$/.exec(descr) ?? [];
  if (kind === undefined || !Object.hasOwn(KINDS, kind)) return undefined;
  return { stored: KINDS[kind], bytes: Number(kind[1]), isBigEndian: order === ">" };
}

/** Whether bytes begin as an array of NumPy does. */
export function isNpy(bytes: Uint8Array): boolean {
  return bytes[0] === 0x93 && String.fromCharCode(...bytes.subarray(1, 6)) === "NUMPY";
}

/**
 * How many bytes a header takes, out of the first ones.
 * @param where Names the file in errors.
 * @throws WeightsError for another format, an unknown version, a header longer than the file.
 */
export function npyHeaderLength(where: string, bytes: Uint8Array, size: number): number {
  if (bytes.length < PREFIX_BYTES || !isNpy(bytes))
    throw new WeightsError(
      `${where}: expected an array of NumPy, which starts with "\\x93NUMPY", got another format`,
    );
  const version = bytes[6];
  if (version < 1 || version > 3)
    throw new WeightsError(`${where}: expected version 1, 2 or 3 of NumPy's format, got ${version}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = version === 1 ? 10 + view.getUint16(8, true) : 12 + view.getUint32(8, true);
  if (length > size || length > MOST_HEADER_BYTES)
    throw new WeightsError(
      `${where}: expected a header inside the file of ${size} bytes, got one of ${length}; the file is cut off or damaged`,
    );
  return length;
}

/**
 * Reads a header: a dict of Python with `descr`, `fortran_order` and `shape`. It is parsed, never run.
 * @param where Names the file in errors.
 * @param bytes All of it, as {@link npyHeaderLength} says.
 * @param size Of the whole array, header included: values must fill the rest.
 */
export function parseNpyHeader(where: string, bytes: Uint8Array, size: number): NpyHeader {
  const start = bytes[6] === 1 ? 10 : 12;
  const text = new TextDecoder(bytes[6] === 3 ? "utf-8" : "latin1").decode(bytes.subarray(start));
  const fields = parseFields(where, text);
  const descr = fields.get("descr");
  const order = fields.get("fortran_order");
  const shape = fields.get("shape");
  if (fields.size !== 3 || descr === undefined || typeof order !== "boolean" || !Array.isArray(shape))
    throw new WeightsError(
      `${where}: expected a header with descr, fortran_order and shape, got ${[...fields.keys()].join(", ")}`,
    );
  const header = { descr: String(descr), isFortranOrder: order, shape, dataStart: bytes.length };
  const type = npyType(header.descr);
  const count = elementsOf(where, shape);
  if (type !== undefined && count * type.bytes !== size - header.dataStart)
    throw new WeightsError(
      `${where}: expected ${count * type.bytes} bytes for ${header.descr} [${shape.join(", ")}], got ${size - header.dataStart} at offset ${header.dataStart}; the file is cut off or damaged`,
    );
  return header;
}

type Field = string | boolean | number[];

/** `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`; a structured descr is kept as its text. */
function parseFields(where: string, text: string): Map<string, Field> {
  let at = 0;
  const fail = (): never => {
    throw new WeightsError(
      `${where}: expected a dict with descr, fortran_order and shape as a header, got ${JSON.stringify(text.slice(at, at + 20))} at character ${at}; the file is damaged`,
    );
  };
  /** What a pattern finds at the place, and the blanks behind it. Patterns are linear. */
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) return undefined;
    at = pattern.lastIndex;
    while (text[at] === " ") at++;
    return found[0];
  };
  const fields = new Map<string, Field>();
  take(/\{/y) ?? fail();
  while (take(/\}/y) === undefined) {
    const name = (take(/'[a-z_]{1,20}'|"[a-z_]{1,20}"/y) ?? fail()).slice(1, -1);
    if (fields.has(name) || !["descr", "fortran_order", "shape"].includes(name)) fail();
    take(/:/y) ?? fail();
    const literal =
      take(/'[^'\n]{0,20}'|True|False|\([\d, L]{0,1000}\)|\[[^\n]{0,100000}\](?=, *'(?:f|s))/y) ?? fail();
    if (literal === "True" || literal === "False") fields.set(name, literal === "True");
    else if (literal[0] !== "(") fields.set(name, literal[0] === "'" ? literal.slice(1, -1) : literal);
    else fields.set(name, sizes(literal, fail));
    if (take(/,/y) === undefined) {
      take(/\}/y) ?? fail();
      break;
    }
  }
  if (text.slice(at).trim() !== "") fail();
  return fields;
}

/** `(3, 4)`, `(3,)`, `()`; Python 2 wrote `(3L, 4L)`. */
function sizes(literal: string, fail: () => never): number[] {
  const inner = literal.slice(1, -1).trim();
  if (inner === "") return [];
  const parts = inner.replace(/,\s*$/, "").split(",");
  if (parts.length > 64) return fail();
  return parts.map((part) => {
    const size = Number(part.trim().replace(/L$/, ""));
    return /^\d+L?$/.test(part.trim()) && Number.isSafeInteger(size) ? size : fail();
  });
}
