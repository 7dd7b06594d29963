import { InputError } from "@ai/tensor";
import { indexedDbStorage } from "./indexed-db-storage.js";
import { opfsStorage } from "./opfs-storage.js";
import { assertOptionNames } from "./option-names.js";
import type { TrainingStorage } from "./storage.js";
import { nodeStorage } from "./storage.js";

/** Options of {@link browserStorage}. */
export interface BrowserStorageOptions {
  /**
   * `"opfs"`: the origin's private file system; `"indexed-db"`: the database. Default: the file system where the browser
   * lets it be written, the database elsewhere.
   */
  readonly kind?: "opfs" | "indexed-db";
}

/**
 * Files in the browser's storage, which outlive a reload: for checkpoints and histories of a page or worker. They belong
 * to the page's origin; `navigator.storage.persist()` asks the browser to keep them when space is short.
 * @throws InputError outside of a browser, or when it has no such storage.
 * @example
 * const storage = await browserStorage();
 * await trainer.fit(loader, { epochs: 9, resumeFrom: "runs/a", storage, callbacks: [checkpoints({ folder: "runs/a", storage })] });
 */
export async function browserStorage(options: BrowserStorageOptions = {}): Promise<TrainingStorage> {
  assertOptionNames("browserStorage", options, ["kind"]);
  const { kind } = options;
  if (kind !== undefined && kind !== "opfs" && kind !== "indexed-db")
    throw new InputError(`browserStorage: expected kind opfs or indexed-db, got ${String(kind)}`);
  const errors: unknown[] = [];
  if (kind !== "indexed-db" && (kind === "opfs" || canWriteFiles()))
    try {
      return await opfsStorage();
    } catch (error) {
      errors.push(error);
    }
  if (kind !== "opfs" && typeof indexedDB !== "undefined")
    try {
      return await indexedDbStorage();
    } catch (error) {
      errors.push(error);
    }
  throw new InputError(
    `browserStorage: expected a browser's storage, got ${errors.length === 0 ? "an environment without" : String(errors[0])}; pass another { storage }`,
    { cause: errors[0] },
  );
}

/** Workers write by synchronous handles, pages of newer browsers by streams. */
function canWriteFiles(): boolean {
  const handle = (globalThis as { FileSystemFileHandle?: { prototype: object } }).FileSystemFileHandle;
  return (
    typeof navigator !== "undefined" &&
    typeof navigator.storage?.getDirectory === "function" &&
    handle !== undefined &&
    ("createSyncAccessHandle" in handle.prototype || "createWritable" in handle.prototype)
  );
}

/** Where training writes when nothing else is said: the file system of Node, the browser's storage elsewhere. */
export async function defaultStorage(): Promise<TrainingStorage> {
  const isNode = typeof process !== "undefined" && process.versions?.node !== undefined;
  return isNode ? nodeStorage() : browserStorage();
}
