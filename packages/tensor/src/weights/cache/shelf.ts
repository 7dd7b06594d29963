import { DownloadError } from "../../errors.js";

/** Storage of a browser: blobs by keys of segments with `/`. A blob is there whole or not at all. */
export interface Shelf {
  get(key: string): Promise<Blob | undefined>;
  put(key: string, bytes: Uint8Array): Promise<void>;
  remove(key: string): Promise<void>;
  /** Keys that start with `prefix`, which ends at a `/`. */
  keys(prefix: string): Promise<string[]>;
}

/** Name of our folder or cache among those of the page. */
const PLACE = "ai-models";
/** Never asked for: requests are only the names of what a `Cache` holds. */
const CACHE_ORIGIN = "https://ai-models.invalid/";

/** What the browser's storage refuses, as an error of ours. */
function storageError(error: unknown): DownloadError {
  const { name, message } = error as DOMException;
  return new DownloadError(
    name === "QuotaExceededError"
      ? 'openModelFiles: expected room in the browser\'s storage, got QuotaExceededError; remove models with pruneModelCache, or use cache: "none"'
      : `openModelFiles: expected the browser's storage to keep a file, got ${name}: ${message}; use cache: "none"`,
  );
}

function isMissing(error: unknown): boolean {
  return ["NotFoundError", "TypeMismatchError"].includes((error as DOMException).name);
}

/** In the origin's private file system. */
export async function opfsShelf(): Promise<Shelf> {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(PLACE, {
    create: true,
  });
  const folderOf = async (
    segments: readonly string[],
    create: boolean,
  ): Promise<FileSystemDirectoryHandle> => {
    let folder = root;
    for (const segment of segments) folder = await folder.getDirectoryHandle(segment, { create });
    return folder;
  };
  return {
    async get(key) {
      const segments = key.split("/");
      try {
        const folder = await folderOf(segments.slice(0, -1), false);
        return await (await folder.getFileHandle(segments.at(-1)!)).getFile();
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw storageError(error);
      }
    },
    async put(key, bytes) {
      const segments = key.split("/");
      try {
        const folder = await folderOf(segments.slice(0, -1), true);
        const file = await folder.getFileHandle(segments.at(-1)!, { create: true });
        const writable = await file.createWritable();
        await writable.write(bytes as Uint8Array<ArrayBuffer>);
        // only now it takes the place of what was there
        await writable.close();
      } catch (error) {
        throw storageError(error);
      }
    },
    async remove(key) {
      const segments = key.split("/");
      try {
        await (await folderOf(segments.slice(0, -1), false)).removeEntry(segments.at(-1)!);
      } catch (error) {
        if (!isMissing(error)) throw storageError(error);
      }
    },
    async keys(prefix) {
      const found: string[] = [];
      const visit = async (folder: FileSystemDirectoryHandle, path: string): Promise<void> => {
        for await (const [name, handle] of folder.entries())
          if (handle.kind === "directory")
            await visit(handle as FileSystemDirectoryHandle, `${path}${name}/`);
          else found.push(`${path}${name}`);
      };
      try {
        await visit(await folderOf(prefix.split("/").filter(Boolean), false), prefix);
      } catch (error) {
        if (!isMissing(error)) throw storageError(error);
      }
      return found.sort();
    },
  };
}

/** In a `Cache` of the page's `CacheStorage`. */
export async function cacheStorageShelf(): Promise<Shelf> {
  const cache = await caches.open(PLACE);
  return {
    get: async (key) => (await cache.match(`${CACHE_ORIGIN}${key}`))?.blob(),
    async put(key, bytes) {
      try {
        await cache.put(`${CACHE_ORIGIN}${key}`, new Response(bytes as Uint8Array<ArrayBuffer>));
      } catch (error) {
        throw storageError(error);
      }
    },
    async remove(key) {
      await cache.delete(`${CACHE_ORIGIN}${key}`);
    },
    async keys(prefix) {
      const start = `${CACHE_ORIGIN}${prefix}`;
      const urls = (await cache.keys()).map(({ url }) => url).filter((url) => url.startsWith(start));
      return urls.map((url) => url.slice(CACHE_ORIGIN.length)).sort();
    },
  };
}
