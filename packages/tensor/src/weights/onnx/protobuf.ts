import { WeightsError } from "../../errors.js";
import type { FrontReader } from "../front-reader.js";

/** A field of a message: its number, its wire type, and its value or where its bytes lie. */
export interface ProtobufField {
  readonly number: number;
  /** 0 a varint, 1 eight bytes, 2 bytes with a length, 5 four bytes. */
  readonly wire: number;
  /** Of a varint. */
  readonly value: bigint;
  /** Offset in the file of what has a length or a fixed size. */
  readonly start: number;
  readonly end: number;
}

/** Varints of 64 bits take 10 bytes at most. */
const MOST_VARINT_BYTES = 10;
const MOST_NUMBER = BigInt(Number.MAX_SAFE_INTEGER);

/** Walks messages of Protocol Buffers in a file; what nobody asks for is not read. */
export class ProtobufReader {
  readonly #reader: FrontReader;

  constructor(reader: FrontReader) {
    this.#reader = reader;
  }

  /**
   * Gives each field between two offsets to `visit`, which may walk it in turn.
   * @throws WeightsError when a field is not inside, or of a kind that the format no longer has.
   */
  async fields(
    message: string,
    { start, end }: { readonly start: number; readonly end: number },
    visit: (field: ProtobufField) => Promise<void> | undefined,
  ): Promise<void> {
    const reader = this.#reader;
    reader.offset = start;
    while (reader.offset < end) {
      const at = reader.offset;
      if (!reader.has(2 * MOST_VARINT_BYTES)) await reader.ensure(2 * MOST_VARINT_BYTES);
      const tag = this.#varint(message, end);
      const wire = Number(tag & 7n);
      const number = Number(tag >> 3n);
      if (number < 1 || number > 0x1fffffff || (wire > 2 && wire !== 5))
        this.#fail(message, "a field", `number ${number} of wire type ${wire}`, at);
      const value = wire === 1 ? 8n : wire === 5 ? 4n : this.#varint(message, end);
      const first = reader.offset;
      const length = wire === 0 ? 0 : Number(value <= MOST_NUMBER ? value : MOST_NUMBER);
      if (length > end - first)
        this.#fail(message, `${length} bytes of field ${number} before offset ${end}`, "fewer", first);
      const waiting = visit({ number, wire, value, start: first, end: first + length });
      if (waiting !== undefined) await waiting;
      reader.offset = first + length;
    }
  }

  /** The bytes of a field with a length; a view that is valid until the next read. */
  async bytes(what: string, { start, end }: ProtobufField): Promise<Uint8Array> {
    const reader = this.#reader;
    reader.offset = start;
    await reader.ensure(end - start);
    return reader.bytes(what, end - start);
  }

  #varint(message: string, end: number): bigint {
    const reader = this.#reader;
    const at = reader.offset;
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      if (reader.offset >= end) this.#fail(message, "a number", "the end of its message", at);
      const byte = reader.uint8(`a number of ${message}`);
      low |= (byte & 127) << shift;
      if (byte < 128) return BigInt(low);
    }
    let value = BigInt(low);
    for (let shift = 28n; shift < 70n; shift += 7n) {
      if (reader.offset >= end) this.#fail(message, "a number", "the end of its message", at);
      const byte = reader.uint8(`a number of ${message}`);
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
    return this.#fail(message, `a number of at most ${MOST_VARINT_BYTES} bytes`, "a longer one", at);
  }

  #fail(message: string, expected: string, got: string, at: number): never {
    throw new WeightsError(
      `${this.#reader.source.name}: expected ${expected} of ${message} at offset ${at}, got ${got}; the file is damaged or another format`,
    );
  }
}

/** The varints that fill `bytes`, as unsigned integers of 64 bits; undefined when the last one is cut off or too long. */
export function packedVarints(bytes: Uint8Array): BigUint64Array | undefined {
  let count = 0;
  for (const byte of bytes) if (byte < 128) count++;
  const values = new BigUint64Array(count);
  let at = 0;
  for (let index = 0; index < count; index++) {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (shift > 63n) return undefined;
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) break;
    }
    values[index] = BigInt.asUintN(64, value);
  }
  return at === bytes.length ? values : undefined;
}
