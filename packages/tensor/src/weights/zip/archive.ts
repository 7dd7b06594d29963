import { Inflate } from "fflate";
import { WeightsError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { crc32 } from "./crc32.js";
import { readDirectory, type ZipEntry } from "./directory.js";

/** Compressed bytes that are taken at a time: they give at most 16 MiB. */
const STEP_BYTES = 2 ** 14;
/** Compressed bytes that are read at a time. */
const READ_BYTES = 2 ** 20;

/** An opened zip archive: the names are known, files are read when they are asked for. */
export class ZipArchive {
  /** By name, in the order of the directory. */
  readonly entries: ReadonlyMap<string, ZipEntry>;
  readonly #source: ByteSource;
  readonly #starts = new Map<string, number>();
  /** PyTorch can leave all checksums out (`set_crc32_options`), then each of them is 0. */
  readonly #hasChecksums: boolean;

  private constructor(source: ByteSource, entries: ReadonlyMap<string, ZipEntry>) {
    this.#source = source;
    this.entries = entries;
    this.#hasChecksums = [...entries.values()].some(({ crc }) => crc !== 0);
  }

  /** @throws WeightsError for a damaged archive, or one whose names lead out of it. */
  static async open(source: ByteSource, signal: AbortSignal | undefined): Promise<ZipArchive> {
    return new ZipArchive(source, await readDirectory(source, signal));
  }

  /**
   * The bytes of a file from `start` to before `end`. Of a stored file only they are read; a deflated one is inflated up
   * to `end`. What is read whole must have the checksum of the directory.
   * @throws WeightsError when it is damaged.
   */
  async read(
    name: string,
    range: { readonly start: number; readonly end: number },
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const entry = this.entries.get(name)!;
    const { start, end } = range;
    const first = await this.#dataStart(entry, signal);
    const bytes = entry.isDeflated
      ? await this.#inflate(entry, first, range, signal)
      : start === end
        ? new Uint8Array(0)
        : await this.#source.read(first + start, first + end, signal);
    if (this.#hasChecksums && start === 0 && end === entry.size) {
      const crc = crc32(bytes);
      if (crc !== entry.crc)
        throw new WeightsError(
          `${this.#where(entry)}: expected bytes with the checksum ${hex(entry.crc)}, got ${hex(crc)}; the file is damaged`,
        );
    }
    return bytes;
  }

  /** A whole file. @throws WeightsError when it is damaged. */
  async readAll(name: string, signal: AbortSignal | undefined): Promise<Uint8Array> {
    return this.read(name, { start: 0, end: this.entries.get(name)!.size }, signal);
  }

  #where({ name, headerStart }: ZipEntry): string {
    return `${this.#source.name}: ${JSON.stringify(name)} at offset ${headerStart}`;
  }

  /** Where the bytes of a file begin: behind its own header, whose length only itself says. */
  async #dataStart(entry: ZipEntry, signal: AbortSignal | undefined): Promise<number> {
    const known = this.#starts.get(entry.name);
    if (known !== undefined) return known;
    const header = await this.#source.read(entry.headerStart, entry.headerStart + 30, signal);
    const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
    if (view.getUint32(0, true) !== 0x04034b50)
      throw new WeightsError(
        `${this.#where(entry)}: expected a file's header, got other bytes; the archive is damaged`,
      );
    if (view.getUint16(8, true) !== (entry.isDeflated ? 8 : 0) || (view.getUint16(6, true) & 1) !== 0)
      throw new WeightsError(
        `${this.#where(entry)}: expected the header that the archive's directory tells of, got another; the archive is damaged`,
      );
    const start = entry.headerStart + 30 + view.getUint16(26, true) + view.getUint16(28, true);
    if (start + entry.compressedSize > entry.limit)
      throw new WeightsError(
        `${this.#where(entry)}: expected ${entry.compressedSize} bytes before offset ${entry.limit}, got their start at ${start}; the archive is damaged`,
      );
    this.#starts.set(entry.name, start);
    return start;
  }

  async #inflate(
    entry: ZipEntry,
    first: number,
    { start, end }: { readonly start: number; readonly end: number },
    signal: AbortSignal | undefined,
  ): Promise<Uint8Array> {
    const fail = (got: string): never => {
      throw new WeightsError(
        `${this.#where(entry)}: expected ${entry.size} bytes when inflated, got ${got}; the file is damaged`,
      );
    };
    const output = new Uint8Array(end - start);
    let done = 0;
    const inflate = new Inflate((chunk) => {
      // the part of the chunk that was asked for
      const from = Math.max(0, start - done);
      const to = Math.min(chunk.length, end - done);
      if (from < to) output.set(chunk.subarray(from, to), done + from - start);
      done += chunk.length;
    });
    for (let at = 0; at < entry.compressedSize && done < end; at += READ_BYTES) {
      const length = Math.min(READ_BYTES, entry.compressedSize - at);
      const bytes = await this.#source.read(first + at, first + at + length, signal);
      for (let step = 0; step < length && done <= end; step += STEP_BYTES) {
        const isLast = at + step + STEP_BYTES >= entry.compressedSize;
        try {
          inflate.push(bytes.subarray(step, step + STEP_BYTES), isLast);
        } catch (error) {
          fail(error instanceof Error ? error.message : String(error));
        }
        if (done > entry.size) fail(`at least ${done}`);
      }
    }
    if (done < end) fail(String(done));
    return output;
  }
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, "0");
}
