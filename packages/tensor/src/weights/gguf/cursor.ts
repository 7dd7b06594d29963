import { WeightsError } from "../../errors.js";

/** Thrown when the header goes on behind the bytes at hand: `needed` is how many there must be at least. */
export class HeaderGoesOn {
  constructor(readonly needed: number) {}
}

/** A vocabulary of 256,000 pieces with merges takes 20 MB. */
const MOST_HEADER_BYTES = 2 ** 28;

/** Walks the front of a file. Numbers are little-endian; every length is checked against the file before memory is taken. */
export class Cursor {
  offset = 0;
  readonly #view: DataView;
  readonly #text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  /** @param bytes The front of the file, `fileSize` bytes long in all. */
  constructor(
    readonly file: string,
    readonly bytes: Uint8Array,
    readonly fileSize: number,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Steps over `length` bytes. @returns where they start */
  #take(what: string, length: number): number {
    const start = this.offset;
    const end = start + length;
    if (end > this.fileSize)
      throw new WeightsError(
        `${this.file}: expected ${what} of ${length} bytes inside the file of ${this.fileSize}, got its start at offset ${start}; the file is cut off or damaged`,
      );
    if (end > MOST_HEADER_BYTES)
      throw new WeightsError(
        `${this.file}: expected a header of at most ${MOST_HEADER_BYTES} bytes, got ${what} that ends at offset ${end}; the file is damaged`,
      );
    if (end > this.bytes.byteLength) throw new HeaderGoesOn(end);
    this.offset = end;
    return start;
  }

  uint8(what: string): number {
    return this.bytes[this.#take(what, 1)];
  }

  uint32(what: string): number {
    return this.#view.getUint32(this.#take(what, 4), true);
  }

  /** A count or offset of 64 bits. @throws WeightsError beyond 2⁵³ */
  uint64(what: string): number {
    const start = this.#take(what, 8);
    const value = this.#view.getBigUint64(start, true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER))
      throw new WeightsError(
        `${this.file}: expected ${what} below 2^53 at offset ${start}, got ${value}; the file is damaged`,
      );
    return Number(value);
  }

  /** A copy of `count` elements of `size` bytes, aligned for a typed array. */
  copy(what: string, count: number, size: number): ArrayBuffer {
    const start = this.#take(what, count * size);
    return new Uint8Array(this.bytes.subarray(start, start + count * size)).buffer;
  }

  /** Length and UTF-8. */
  string(what: string): string {
    const length = this.uint64(`the length of ${what}`);
    const start = this.#take(what, length);
    try {
      return this.#text.decode(this.bytes.subarray(start, start + length));
    } catch {
      throw new WeightsError(
        `${this.file}: expected ${what} in UTF-8 at offset ${start}, got other bytes; the file is damaged`,
      );
    }
  }
}
