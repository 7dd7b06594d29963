import { WeightsError } from "../../errors.js";

/** Thrown when a pickle goes on behind the bytes at hand: so many there must be at least. */
export class PickleGoesOn {
  constructor(readonly needed: number) {}
}

/** Walks a pickle. Every length is checked against the file before memory is taken. */
export class PickleBytes {
  offset: number;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #fileSize: number;
  readonly #text = new TextDecoder("utf-8", { ignoreBOM: true });

  /** @param bytes The front of a file of `fileSize` bytes in all. */
  constructor(
    readonly file: string,
    bytes: Uint8Array,
    { start, fileSize }: { readonly start: number; readonly fileSize: number },
  ) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#fileSize = fileSize;
    this.offset = start;
  }

  /** @throws WeightsError */
  fail(expected: string, got: string, at = this.offset): never {
    throw new WeightsError(
      `${this.file}: expected ${expected} at offset ${at} of the pickle, got ${got}; the file is damaged`,
    );
  }

  #take(length: number): number {
    const start = this.offset;
    const end = start + length;
    if (end > this.#fileSize) this.fail(`${length} bytes`, `the end of the file at ${this.#fileSize}`);
    if (end > this.#bytes.length) throw new PickleGoesOn(end);
    this.offset = end;
    return start;
  }

  uint8(): number {
    return this.#bytes[this.#take(1)];
  }

  uint16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** A length of 64 bits; what is too long for the file fails when it is taken. */
  uint64(): number {
    return Number(this.#view.getBigUint64(this.#take(8), true));
  }

  float64(): number {
    return this.#view.getFloat64(this.#take(8), false);
  }

  /** A copy. */
  bytes(length: number): Uint8Array {
    const start = this.#take(length);
    return this.#bytes.slice(start, start + length);
  }

  string(length: number): string {
    const start = this.#take(length);
    return this.#text.decode(this.#bytes.subarray(start, start + length));
  }

  /** Text up to the next line feed, without it. */
  line(): string {
    const end = this.#bytes.indexOf(10, this.offset);
    if (end < 0) {
      if (this.#bytes.length < this.#fileSize) throw new PickleGoesOn(this.#bytes.length + 1);
      this.fail("a line", "no end of it");
    }
    const text = this.#text.decode(this.#bytes.subarray(this.offset, end));
    this.offset = end + 1;
    return text;
  }

  /** A signed integer of `length` bytes, little-endian. */
  integer(length: number, most: number): number | bigint {
    if (length > most) this.fail(`an integer of at most ${most} bytes`, `one of ${length}`);
    const start = this.#take(length);
    if (length === 0) return 0;
    let hex = "";
    for (let index = length - 1; index >= 0; index--)
      hex += this.#bytes[start + index].toString(16).padStart(2, "0");
    return smallInteger(BigInt.asIntN(8 * length, BigInt(`0x${hex}`)));
  }
}

/** A number where it is exact, else the bigint itself. */
export function smallInteger(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
