import { InputError } from "@ai/tensor";
import { segmentsOf, storageError } from "./opfs-storage.js";
import type { TrainingStorage } from "./storage.js";

const DATABASE = "ai-training";
const FILES = "files";
/** Behind every character that a name may have. */
const LAST = "\uffff";

/** Files in IndexedDB, each change in one transaction. @throws what the browser throws where it has none. */
export async function indexedDbStorage(): Promise<TrainingStorage> {
  const opening = indexedDB.open(DATABASE, 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(FILES);
  const database = await resultOf(opening);

  const change = (work: (files: IDBObjectStore) => void | Promise<void>): Promise<void> =>
    new Promise((resolve, reject) => {
      const transaction = database.transaction(FILES, "readwrite", { durability: "strict" });
      const fail = (error: unknown): void => reject(storageError(error));
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => fail(transaction.error);
      transaction.onerror = () => fail(transaction.error);
      Promise.resolve(work(transaction.objectStore(FILES))).catch((error) => {
        fail(error);
        transaction.abort();
      });
    });
  const read = (): IDBObjectStore => database.transaction(FILES, "readonly").objectStore(FILES);
  const clear = (files: IDBObjectStore, path: string): void => {
    files.delete(path);
    files.delete(IDBKeyRange.bound(`${path}/`, `${path}/${LAST}`));
  };

  return {
    async list(path) {
      const prefix = `${clean(path)}/`;
      const keys = await resultOf(read().getAllKeys(IDBKeyRange.bound(prefix, prefix + LAST)));
      return [...new Set(keys.map((key) => String(key).slice(prefix.length).split("/")[0]))].sort();
    },
    async read(path) {
      const bytes = await resultOf<Uint8Array | undefined>(read().get(clean(path)));
      if (bytes === undefined) throw new InputError(`storage: expected a file at ${path}, got none`);
      return bytes;
    },
    async write(path, bytes) {
      const name = clean(path);
      const copy = bytes.slice();
      await change((files) => void files.put(copy, name));
    },
    async writeFolder(path, contents) {
      const folder = clean(path);
      const copies = [...contents].map(
        ([name, bytes]) => [`${folder}/${clean(name)}`, bytes.slice()] as const,
      );
      await change((files) => {
        clear(files, folder);
        for (const [name, bytes] of copies) files.put(bytes, name);
      });
    },
    async append(path, bytes) {
      const name = clean(path);
      await change(async (files) => {
        const old = (await resultOf<Uint8Array | undefined>(files.get(name))) ?? new Uint8Array(0);
        const joined = new Uint8Array(old.length + bytes.length);
        joined.set(old);
        joined.set(bytes, old.length);
        files.put(joined, name);
      });
    },
    async remove(path) {
      const name = clean(path);
      await change((files) => clear(files, name));
    },
  };
}

function clean(path: string): string {
  return segmentsOf(path).join("/");
}

function resultOf<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
