import { InputError } from "@ai/tensor";

/** What a decoder needs to know beside the bytes. */
export interface DecodeLimits {
  /** Name of the source, for errors. */
  readonly name: string;
  /** Largest width times height. */
  readonly maxPixels: number;
}

/** The error of a file that is not what its format says. */
export function damaged(name: string, expected: string, got: string): InputError {
  return new InputError(`readImage: ${name}: expected ${expected}, got ${got}; the file is damaged`);
}

/** Checks a size that a header claims, before anything of that size is made. @throws InputError */
export function assertSize({ name, maxPixels }: DecodeLimits, width: number, height: number): void {
  if (width < 1 || height < 1)
    throw damaged(name, "a width and height of at least 1", `${width} × ${height}`);
  if (width * height > maxPixels)
    throw new InputError(
      `readImage: ${name}: expected at most ${maxPixels} pixels, got ${width} × ${height}; raise maxPixels if you trust it`,
    );
}

/** Reads numbers of a file; an end too early is an InputError that names the file. */
export class ByteReader {
  readonly #view: DataView;
  position = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly name: string,
    readonly littleEndian = false,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Moves `count` bytes on. @returns where they began. */
  skip(count: number): number {
    const start = this.position;
    if (start + count > this.bytes.length)
      throw damaged(this.name, `${count} bytes at ${start}`, `the end of the file at ${this.bytes.length}`);
    this.position = start + count;
    return start;
  }

  byte(): number {
    return this.bytes[this.skip(1)];
  }

  uint16(): number {
    return this.#view.getUint16(this.skip(2), this.littleEndian);
  }

  uint32(): number {
    return this.#view.getUint32(this.skip(4), this.littleEndian);
  }

  take(count: number): Uint8Array {
    const start = this.skip(count);
    return this.bytes.subarray(start, start + count);
  }

  /** `count` bytes as Latin-1 characters. */
  text(count: number): string {
    return String.fromCharCode(...this.take(count));
  }
}
