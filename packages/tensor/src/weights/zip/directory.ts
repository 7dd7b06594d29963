import { WeightsError } from "../../errors.js";
import type { ByteSource } from "../byte-source.js";
import { isFileName } from "../file-names.js";

/** A file of a zip archive, as the directory at the archive's end describes it. */
export interface ZipEntry {
  readonly name: string;
  /** Whether it is deflated; else its bytes stand in the archive as they are. */
  readonly isDeflated: boolean;
  readonly crc: number;
  readonly compressedSize: number;
  readonly size: number;
  /** Where its own header begins. */
  readonly headerStart: number;
  /** Before this offset its bytes end: the next entry or the directory begins. */
  readonly limit: number;
}

const END_BYTES = 22;
const LONGEST_COMMENT = 65_535;
const ENTRY_BYTES = 46;
/** One million names of 200 characters. */
const MOST_DIRECTORY_BYTES = 2 ** 28;
/** Deflate gives at most 1032 bytes for one (258 bytes by two bits). */
const MOST_EXPANSION = 1032;
const MOST_DIGITS = 0xffffffff;

/** Reads the list of files at the end of an archive. @throws WeightsError when it is damaged, encrypted or hostile. */
export async function readDirectory(
  source: ByteSource,
  signal: AbortSignal | undefined,
): Promise<Map<string, ZipEntry>> {
  const fail = (expected: string, got: string): never => {
    throw new WeightsError(`${source.name}: expected ${expected}, got ${got}; the archive is damaged`);
  };
  if (source.size < END_BYTES) fail("a zip archive", `${source.size} bytes`);
  const tailStart = Math.max(0, source.size - END_BYTES - LONGEST_COMMENT - 64);
  const tail = await source.read(tailStart, source.size, signal);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  let at = tail.length - END_BYTES;
  while (
    at >= 0 &&
    !(
      view.getUint32(at, true) === 0x06054b50 &&
      view.getUint16(at + 20, true) === tail.length - at - END_BYTES
    )
  )
    at--;
  if (at < 0) fail("the end of a zip archive", "none; the file is cut off");
  const end = tailStart + at;
  let count = view.getUint16(at + 10, true);
  let size = view.getUint32(at + 12, true);
  let start = view.getUint32(at + 16, true);
  let directoryEnd = end;
  if (count === 0xffff || size === MOST_DIGITS || start === MOST_DIGITS) {
    const locator = at - 20;
    if (locator < 0 || view.getUint32(locator, true) !== 0x07064b50)
      fail("the locator of a zip64 archive before its end", "none");
    directoryEnd = Number(view.getBigUint64(locator + 8, true));
    if (directoryEnd < tailStart || directoryEnd + 56 > tailStart + locator)
      fail(`the zip64 record right before offset ${tailStart + locator}`, `offset ${directoryEnd}`);
    const record = directoryEnd - tailStart;
    if (view.getUint32(record, true) !== 0x06064b50) fail("a zip64 record", `none at ${directoryEnd}`);
    count = Number(view.getBigUint64(record + 32, true));
    size = Number(view.getBigUint64(record + 40, true));
    start = Number(view.getBigUint64(record + 48, true));
  }
  if (start + size > directoryEnd)
    fail(`a directory that ends before offset ${directoryEnd}`, `${size} bytes at offset ${start}`);
  if (size > MOST_DIRECTORY_BYTES) fail(`a directory of at most ${MOST_DIRECTORY_BYTES} bytes`, String(size));
  if (count * ENTRY_BYTES > size) fail(`${count} files in the directory`, `${size} bytes`);
  const bytes =
    start >= tailStart
      ? tail.subarray(start - tailStart, start - tailStart + size)
      : await source.read(start, start + size, signal);
  return parseDirectory(source.name, bytes, { count, start });
}

function parseDirectory(
  file: string,
  bytes: Uint8Array,
  { count, start }: { readonly count: number; readonly start: number },
): Map<string, ZipEntry> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + ENTRY_BYTES > bytes.length || view.getUint32(at, true) !== 0x02014b50)
      throw new WeightsError(
        `${file}: expected file ${index} of ${count} of the archive at offset ${start + at}, got none; the archive is damaged`,
      );
    const next =
      at +
      ENTRY_BYTES +
      view.getUint16(at + 28, true) +
      view.getUint16(at + 30, true) +
      view.getUint16(at + 32, true);
    if (next > bytes.length)
      throw new WeightsError(
        `${file}: expected an entry inside the directory at offset ${start + at}, got one that is longer; the archive is damaged`,
      );
    entries.push(parseEntry(file, bytes.subarray(at, next), start));
    at = next;
  }
  return arrange(file, entries, start);
}

function parseEntry(file: string, bytes: Uint8Array, limit: number): ZipEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nameEnd = ENTRY_BYTES + view.getUint16(28, true);
  const name = new TextDecoder("utf-8").decode(bytes.subarray(ENTRY_BYTES, nameEnd));
  const where = `${file}: ${JSON.stringify(name)}`;
  if (!isFileName(name.replace(/\/$/, "")))
    throw new WeightsError(`${where}: expected a name inside the archive, got one that leads out of it`);
  const flags = view.getUint16(8, true);
  const method = view.getUint16(10, true);
  if ((flags & 1) !== 0)
    throw new WeightsError(`${where}: expected a file that is not encrypted, got one that is`);
  if (method !== 0 && method !== 8)
    throw new WeightsError(
      `${where}: expected a file that is stored or deflated, got method ${method}, which is not supported; pack it again`,
    );
  let compressedSize = view.getUint32(20, true);
  let size = view.getUint32(24, true);
  let headerStart = view.getUint32(42, true);
  const extraEnd = nameEnd + view.getUint16(30, true);
  for (let at = nameEnd; at + 4 <= extraEnd; ) {
    const length = view.getUint16(at + 2, true);
    let field = at + 4;
    at = field + length;
    if (at > extraEnd) break;
    if (view.getUint16(field - 4, true) !== 1) continue;
    // zip64: only the numbers that did not fit, in this order
    const take = (small: number): number => {
      if (small !== MOST_DIGITS || field + 8 > at) return small;
      field += 8;
      return Number(view.getBigUint64(field - 8, true));
    };
    size = take(size);
    compressedSize = take(compressedSize);
    headerStart = take(headerStart);
  }
  const isDeflated = method === 8;
  if (headerStart + 30 + compressedSize > limit)
    throw new WeightsError(
      `${where}: expected ${compressedSize} bytes before offset ${limit}, got their header at ${headerStart}; the archive is damaged`,
    );
  if (isDeflated ? size > compressedSize * MOST_EXPANSION : size !== compressedSize)
    throw new WeightsError(
      `${where}: expected a size that ${compressedSize} bytes can give, got ${size}; the archive is damaged or a bomb`,
    );
  return { name, isDeflated, crc: view.getUint32(16, true), compressedSize, size, headerStart, limit };
}

/** By name, each with the offset at which the next begins: bytes that two files share are a bomb. */
function arrange(file: string, entries: readonly ZipEntry[], end: number): Map<string, ZipEntry> {
  const byName = new Map<string, ZipEntry>();
  for (const entry of entries) {
    if (byName.has(entry.name))
      throw new WeightsError(
        `${file}: expected ${JSON.stringify(entry.name)} once in the archive, got it twice; the archive is damaged`,
      );
    byName.set(entry.name, entry);
  }
  const sorted = [...entries].sort((a, b) => a.headerStart - b.headerStart);
  sorted.forEach((entry, index) => {
    const limit = index + 1 < sorted.length ? sorted[index + 1].headerStart : end;
    if (entry.headerStart + 30 + entry.compressedSize > limit)
      throw new WeightsError(
        `${file}: ${JSON.stringify(entry.name)}: expected bytes of its own, got some of ${JSON.stringify(sorted[index + 1]?.name)} from offset ${limit}; the files of the archive overlap`,
      );
    byName.set(entry.name, { ...entry, limit });
  });
  return byName;
}
