import { InputError, type ModelSource, openModelFiles } from "@ai/tensor";
import { nameOfNext, padded, readTarHeader } from "./tar.js";

/** Files of a data set by path, wherever they are. */
export interface DataFiles {
  /** What errors call it. */
  readonly name: string;
  /** Every file's path with `/`, sorted. */
  readonly paths: readonly string[];
  /** A whole file. @throws InputError for a path that is not there, the signal's reason. */
  read(path: string, signal?: AbortSignal): Promise<Uint8Array>;
}

/**
 * Where a data set is: a folder (Node), a tar archive as a path, bytes or a `Blob`, files that a user chose or dropped,
 * the handle of a folder, or files by path.
 */
export type DataSource = Exclude<ModelSource, URL> | Uint8Array | Blob | DataFiles;

/** Options of what reads a data set's files. */
export interface DataFilesOptions {
  /** Ends listing. */
  readonly signal?: AbortSignal;
}

/** Reads any range of bytes. */
interface Ranges {
  readonly name: string;
  readonly size: number;
  read(start: number, end: number): Promise<Uint8Array>;
}

/**
 * Finds the files of a data set. Of a tar archive only the headers are read; its files are read when they are asked
 * for.
 * @throws InputError when there is nothing, or the archive is damaged; the signal's reason.
 */
export async function openDataFiles(
  source: DataSource,
  { signal }: DataFilesOptions = {},
): Promise<DataFiles> {
  signal?.throwIfAborted();
  if (isDataFiles(source)) return source;
  if (source instanceof Uint8Array) return tarFiles(memoryRanges(source), signal);
  if (typeof Blob !== "undefined" && source instanceof Blob) return tarFiles(blobRanges(source), signal);
  if (typeof source === "string" && /\.tar$/i.test(source)) return tarFiles(await fileRanges(source), signal);
  const files = await openModelFiles(source as ModelSource, signal === undefined ? {} : { signal });
  const paths = (await files.list()).map(({ path }) => path).sort();
  return {
    name: files.name,
    paths,
    read: (path, ending) => files.read(path, ending === undefined ? {} : { signal: ending }),
  };
}

function isDataFiles(source: DataSource): source is DataFiles {
  return typeof source === "object" && "paths" in source && "read" in source;
}

function memoryRanges(bytes: Uint8Array): Ranges {
  return { name: "archive", size: bytes.length, read: async (start, end) => bytes.slice(start, end) };
}

function blobRanges(blob: Blob): Ranges {
  return {
    name: "name" in blob ? String(blob.name) : "archive",
    size: blob.size,
    read: async (start, end) => new Uint8Array(await blob.slice(start, end).arrayBuffer()),
  };
}

async function fileRanges(path: string): Promise<Ranges> {
  const { open, stat } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile())
    throw new InputError(
      `openDataFiles: ${path}: expected an archive, got ${found === undefined ? "nothing there" : "no file"}`,
    );
  return {
    name: path,
    size: found.size,
    async read(start, end) {
      const file = await open(path, "r");
      try {
        const bytes = new Uint8Array(Math.min(end, found.size) - start);
        const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
        return bytes.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    },
  };
}

/** Headers are read this many bytes at a time: pictures are small, so most reads serve several. */
const WINDOW_BYTES = 2 ** 20;

/** Every file's place in an archive. */
async function indexOf(
  ranges: Ranges,
  signal?: AbortSignal,
): Promise<Map<string, readonly [number, number]>> {
  const places = new Map<string, readonly [number, number]>();
  let held: Uint8Array = new Uint8Array(0);
  let heldFrom = 0;
  const bytesAt = async (start: number, length: number): Promise<Uint8Array> => {
    if (start < heldFrom || start + length > heldFrom + held.length) {
      signal?.throwIfAborted();
      held = await ranges.read(start, Math.min(ranges.size, start + Math.max(length, WINDOW_BYTES)));
      heldFrom = start;
    }
    return held.subarray(start - heldFrom, start - heldFrom + length);
  };
  let longName: string | undefined;
  const cutOff = (): InputError =>
    new InputError(`openDataFiles: ${ranges.name}: expected a whole archive, got one that is cut off`);
  for (let at = 0; at < ranges.size; ) {
    const start = at + 512;
    if (start > ranges.size) throw cutOff();
    const header = readTarHeader(await bytesAt(at, 512), ranges.name);
    if (header === undefined) break;
    if (start + header.size > ranges.size) throw cutOff();
    const isName = header.kind === "x" || header.kind === "L";
    const next = isName
      ? nameOfNext(header.kind, await bytesAt(start, Math.min(header.size, WINDOW_BYTES)))
      : undefined;
    if (next !== undefined) longName = next;
    else {
      if (header.kind === "0") places.set(longName ?? header.path, [start, start + header.size]);
      if (header.kind !== "g") longName = undefined;
    }
    at = start + padded(header.size);
  }
  if (places.size === 0)
    throw new InputError(`openDataFiles: ${ranges.name}: expected an archive with files, got none`);
  return places;
}

async function tarFiles(ranges: Ranges, signal?: AbortSignal): Promise<DataFiles> {
  const places = await indexOf(ranges, signal);
  return {
    name: ranges.name,
    paths: [...places.keys()].sort(),
    async read(path, ending) {
      ending?.throwIfAborted();
      const place = places.get(path);
      if (place === undefined)
        throw new InputError(`${ranges.name}: expected one of its files, got ${JSON.stringify(path)}`);
      return ranges.read(place[0], place[1]);
    },
  };
}

/** A file as text. @throws InputError for what is not UTF-8, naming the file. */
export async function readTextOf(files: DataFiles, path: string, signal?: AbortSignal): Promise<string> {
  const bytes = await files.read(path, signal);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new InputError(`${files.name}/${path}: expected text in UTF-8, got other bytes`);
  }
}
