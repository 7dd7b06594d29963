import { blobSource } from "../byte-source.js";
import { isFileName } from "../file-names.js";
import { checksumOf } from "../http/checksum.js";
import type { PartialFile } from "../http/download.js";
import { parseListing, printListing } from "./listing.js";
import type { Shelf } from "./shelf.js";
import { type RepositoryStore, repositoryFolder } from "./store.js";

/** A file lies in pieces of this size: what an interruption can lose, and what is in memory at once. */
export const PIECE_BYTES = 2 ** 24;

/** Where the pieces of a file are. */
export function pieceKey(folder: string, hex: string, index: number): string {
  return `${folder}/blobs/${hex}/${String(index).padStart(6, "0")}`;
}

/** A file name as one segment of a key. */
export function keySegment(name: string): string {
  return encodeURIComponent(name).replaceAll("~", "%7E").replaceAll("%", "~");
}

/** What {@link keySegment} was made of; a segment that it did not make is taken as it is. */
export function fromKeySegment(segment: string): string {
  try {
    return decodeURIComponent(segment.replaceAll("~", "%"));
  } catch {
    return segment;
  }
}

/** Tabs that write the same small file one after the other at the very moment of reading. */
const MOST_REWRITES = 20;

/** A small file as text. One that another tab has written anew since it was opened is read again. */
export async function textAt(shelf: Shelf, key: string): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    const blob = await shelf.get(key);
    try {
      return await blob?.text();
    } catch (error) {
      const isChanged = ["NotReadableError", "NotFoundError"].includes((error as DOMException).name);
      if (!isChanged || attempt === MOST_REWRITES) throw error;
    }
  }
}

/** What a snapshot says of a file: `<size> <checksum>`. */
export function parsePointer(text: string | undefined): { size: number; hex: string } | undefined {
  const found = /^(\d+) ([0-9a-f]+)$/.exec(text ?? "");
  return found === null || checksumOf(found[2]) === undefined
    ? undefined
    : { size: Number(found[1]), hex: found[2] };
}

/** The pieces of a file, as long as each follows the one before. */
async function piecesOf(shelf: Shelf, folder: string, hex: string): Promise<Blob[]> {
  const pieces: Blob[] = [];
  for (;;) {
    const piece = await shelf.get(pieceKey(folder, hex, pieces.length));
    if (piece === undefined || piece.size === 0) return pieces;
    pieces.push(piece);
    if (piece.size < PIECE_BYTES) return pieces;
  }
}

interface ShelfPartial extends PartialFile {
  /** Writes the piece that is not full yet. */
  flush(): Promise<void>;
}

/** A file on its way to a shelf: full pieces are there, the last one is in memory until it is full. */
async function openPartial(shelf: Shelf, folder: string, hex: string): Promise<ShelfPartial> {
  const old = await piecesOf(shelf, folder, hex);
  const last = old.at(-1);
  const full = old.filter(({ size }) => size === PIECE_BYTES).length;
  const buffer = new Uint8Array(PIECE_BYTES);
  let count = full;
  let filled = 0;
  if (last !== undefined && last.size < PIECE_BYTES) {
    buffer.set(new Uint8Array(await last.arrayBuffer()));
    filled = last.size;
  }
  // another tab may read what is there already
  let isNew = false;
  const flush = async (): Promise<void> => {
    if (isNew && filled > 0) await shelf.put(pieceKey(folder, hex, count), buffer.slice(0, filled));
    isNew = false;
  };
  return {
    get length() {
      return count * PIECE_BYTES + filled;
    },
    async *bytes() {
      for (let index = 0; index < count; index++)
        yield new Uint8Array(await (await shelf.get(pieceKey(folder, hex, index)))!.arrayBuffer());
      yield buffer.subarray(0, filled);
    },
    async append(chunk) {
      for (let start = 0; start < chunk.byteLength; ) {
        const end = Math.min(chunk.byteLength, start + PIECE_BYTES - filled);
        buffer.set(chunk.subarray(start, end), filled);
        isNew = true;
        filled += end - start;
        start = end;
        if (filled === PIECE_BYTES) {
          await flush();
          count++;
          filled = 0;
        }
      }
    },
    async reset() {
      for (const key of await shelf.keys(`${folder}/blobs/${hex}/`)) await shelf.remove(key);
      count = 0;
      filled = 0;
    },
    flush,
  };
}

/** Runs `task` while no other tab or worker of the page's origin does the same. */
export async function withTabLock<Result>(
  name: string,
  task: () => Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (navigator.locks === undefined) return task();
  return navigator.locks.request(name, signal === undefined ? {} : { signal }, task) as Promise<Result>;
}

/** A repository in a browser's storage. */
export function browserStore(shelf: Shelf, id: string): RepositoryStore {
  const folder = repositoryFolder(id);
  const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
  const refKey = (revision: string): string => `${folder}/refs/${keySegment(revision)}`;
  const pointerKey = (commit: string, path: string): string =>
    `${folder}/snapshots/${commit}/${keySegment(path)}`;
  const find: RepositoryStore["find"] = async (commit, path, expected) => {
    const pointer = parsePointer(await textAt(shelf, pointerKey(commit, path)));
    if (pointer === undefined || (expected !== undefined && expected.checksum.hex !== pointer.hex))
      return undefined;
    const pieces = pointer.size === 0 ? [] : await piecesOf(shelf, folder, pointer.hex);
    const blob = new Blob(pieces);
    // a browser may drop what it stores when the disk is full
    return blob.size === pointer.size ? blobSource(blob, `${id}/${path}`) : undefined;
  };
  return {
    async commitOf(revision) {
      const text = await textAt(shelf, refKey(revision));
      return /^[0-9a-f]{40}$/.test(text ?? "") ? text : undefined;
    },
    setCommit: (revision, commit) => shelf.put(refKey(revision), encode(commit)),
    async listing(commit) {
      const text = await textAt(shelf, `${folder}/trees/${commit}.json`);
      return text === undefined ? undefined : parseListing(text);
    },
    setListing: (commit, files) => shelf.put(`${folder}/trees/${commit}.json`, encode(printListing(files))),
    async kept(commit) {
      const start = `${folder}/snapshots/${commit}/`;
      const files: { path: string; sizeBytes: number }[] = [];
      for (const key of await shelf.keys(start)) {
        const path = fromKeySegment(key.slice(start.length));
        const pointer = parsePointer(await textAt(shelf, key));
        if (isFileName(path) && pointer !== undefined) files.push({ path, sizeBytes: pointer.size });
      }
      return files;
    },
    find,
    async keep(commit, file, fill, signal) {
      const { hex } = file.checksum;
      return withTabLock(
        `ai-models/${folder}/${hex}`,
        async () => {
          const key = pointerKey(commit, file.path);
          const already = await find(commit, file.path, file);
          if (already !== undefined) return already;
          const partial = await openPartial(shelf, folder, hex);
          try {
            await fill(partial);
          } catch (error) {
            // the cause is what matters, not that its remains could not be kept
            await partial.flush().catch(() => undefined);
            throw error;
          }
          await partial.flush();
          await shelf.put(key, encode(`${file.size} ${hex}`));
          return (await find(commit, file.path, file))!;
        },
        signal,
      );
    },
  };
}
