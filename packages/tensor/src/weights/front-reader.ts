import { WeightsError } from "../errors.js";
import type { ByteSource } from "./byte-source.js";

/** Bytes that are read at a time. */
const WINDOW_BYTES = 2 ** 16;

/**
 * Walks a file from the front without reading what it skips. `await ensure(n)` first where `has(n)` is false; then numbers
 * are read without waiting. Little-endian.
 */
export class FrontReader {
  offset = 0;
  #window: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#window.buffer);
  #start = 0;

  constructor(
    readonly source: ByteSource,
    readonly signal: AbortSignal | undefined,
  ) {}

  /** Whether so many bytes are at hand, or all that the file has. */
  has(count: number): boolean {
    const end = Math.min(this.offset + count, this.source.size);
    return this.offset >= this.#start && end <= this.#start + this.#window.length;
  }

  /** Reads so many bytes from here on, or all that the file has. */
  async ensure(count: number): Promise<void> {
    if (this.has(count)) return;
    const end = Math.min(this.offset + Math.max(count, WINDOW_BYTES), this.source.size);
    this.#window =
      this.offset < end ? await this.source.read(this.offset, end, this.signal) : new Uint8Array(0);
    this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.byteLength);
    this.#start = this.offset;
  }

  /** Steps over `count` bytes that {@link ensure} read. @returns where they begin in the window */
  #take(what: string, count: number): number {
    if (this.offset + count > this.source.size)
      throw new WeightsError(
        `${this.source.name}: expected ${what} of ${count} bytes at offset ${this.offset}, got the end of the file at ${this.source.size}; the file is cut off or damaged`,
      );
    const start = this.offset - this.#start;
    this.offset += count;
    return start;
  }

  uint8(what: string): number {
    return this.#window[this.#take(what, 1)];
  }

  uint16(what: string): number {
    return this.#view.getUint16(this.#take(what, 2), true);
  }

  uint32(what: string): number {
    return this.#view.getUint32(this.#take(what, 4), true);
  }

  int32(what: string): number {
    return this.#view.getInt32(this.#take(what, 4), true);
  }

  /** A view; it is valid until the next `ensure`. */
  bytes(what: string, count: number): Uint8Array {
    const start = this.#take(what, count);
    return this.#window.subarray(start, start + count);
  }

  /** Steps over bytes without reading them. @returns where they begin in the file */
  skip(what: string, count: number): number {
    const { offset } = this;
    this.#take(what, count);
    return offset;
  }
}
