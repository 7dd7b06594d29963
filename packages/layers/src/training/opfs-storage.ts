import { InputError } from "@ai/tensor";
import type { TrainingStorage } from "./storage.js";

/** Name of our folder in the origin's private file system. */
const PLACE = "ai-training";
/** A version of a file or folder, and the empty file that says that it is whole. */
const VERSION = /^(.*)~v(\d+)$/;
const MARKER = /^(.*)~v(\d+)\.whole$/;
const LOCK = "ai-training-storage";

/** What only workers have, as far as it is used. */
interface SyncAccessHandle {
  getSize(): number;
  truncate(size: number): void;
  write(bytes: Uint8Array, options: { readonly at: number }): number;
  flush(): void;
  close(): void;
}

interface WorkerFileHandle {
  createSyncAccessHandle?(): Promise<SyncAccessHandle>;
}

/**
 * The origin's private file system. Files and folders are written as a new version beside the old one; an empty file,
 * made once all is flushed, says that the version is whole. A page or worker that ends meanwhile leaves the old one.
 * @throws what the browser throws where it has none, for example in private windows.
 */
export async function opfsStorage(): Promise<TrainingStorage> {
  const root = await (await navigator.storage.getDirectory()).getDirectoryHandle(PLACE, { create: true });

  /** The real name of the newest whole version; undefined when there is nothing of that name. */
  const resolve = async (folder: FileSystemDirectoryHandle, name: string): Promise<string | undefined> => {
    const { whole, plain } = await versionsOf(folder, name);
    return whole.length > 0 ? `${name}~v${Math.max(...whole)}` : plain ? name : undefined;
  };

  /** @param trail Gets the real names on the way. */
  const open = async (
    segments: readonly string[],
    create: boolean,
    trail: string[] = [],
  ): Promise<FileSystemDirectoryHandle | undefined> => {
    let folder = root;
    for (const segment of segments) {
      const real = await resolve(folder, segment);
      if (real === undefined && !create) return undefined;
      trail.push(real ?? segment);
      folder = await folder.getDirectoryHandle(real ?? segment, { create });
    }
    return folder;
  };

  /** Makes a version with `fill`, says that it is whole, and removes the others. */
  const commit = async (
    path: string,
    fill: (folder: FileSystemDirectoryHandle, real: string) => Promise<void>,
  ): Promise<void> => {
    const segments = segmentsOf(path);
    const name = segments.at(-1)!;
    const folder = (await open(segments.slice(0, -1), true))!;
    const { whole, begun, plain } = await versionsOf(folder, name);
    const version = Math.max(0, ...whole, ...begun) + 1;
    await fill(folder, `${name}~v${version}`);
    await folder.getFileHandle(`${name}~v${version}.whole`, { create: true });
    await clear(folder, name, { whole, begun, plain });
  };

  const changes = <Result>(work: () => Promise<Result>): Promise<Result> =>
    locked(async () => {
      try {
        return await work();
      } catch (error) {
        throw storageError(error);
      }
    });

  return {
    async list(path) {
      const entries = await settled(async (trail) => {
        const folder = await open(segmentsOf(path), false, trail);
        return folder && entriesOf(folder);
      });
      const names = new Set<string>();
      for (const [name, { kind }] of entries ?? []) {
        const marked = MARKER.exec(name);
        if (marked !== null) names.add(marked[1]);
        else if (kind === "directory" && !VERSION.test(name)) names.add(name);
      }
      return [...names].sort();
    },
    async read(path) {
      const segments = segmentsOf(path);
      const bytes = await settled(async (trail) => {
        const folder = await open(segments.slice(0, -1), false, trail);
        const real = folder && (await resolve(folder, segments.at(-1)!));
        if (real === undefined) return undefined;
        trail.push(real);
        const file = await (await folder!.getFileHandle(real)).getFile();
        return new Uint8Array(await file.arrayBuffer());
      });
      if (bytes === undefined) throw new InputError(`storage: expected a file at ${path}, got none`);
      return bytes;
    },
    write: (path, bytes) => changes(() => commit(path, (folder, real) => put(folder, real, bytes))),
    writeFolder: (path, files) =>
      changes(() =>
        commit(path, async (folder, real) => {
          const target = await folder.getDirectoryHandle(real, { create: true });
          for (const [name, bytes] of files) {
            const [only, ...more] = segmentsOf(name);
            if (more.length > 0) throw new InputError(`storage: expected names of files, got ${name}`);
            await put(target, `${only}~v1`, bytes);
            await target.getFileHandle(`${only}~v1.whole`, { create: true });
          }
        }),
      ),
    append: (path, bytes) =>
      changes(async () => {
        const segments = segmentsOf(path);
        const folder = (await open(segments.slice(0, -1), true))!;
        const real = await resolve(folder, segments.at(-1)!);
        if (real === undefined) await commit(path, (parent, name) => put(parent, name, bytes));
        else await put(folder, real, bytes, true);
      }),
    remove: (path) =>
      changes(async () => {
        const segments = segmentsOf(path);
        const folder = await open(segments.slice(0, -1), false).catch(missing);
        if (folder !== undefined)
          await clear(folder, segments.at(-1)!, await versionsOf(folder, segments.at(-1)!));
      }),
  };
}

/**
 * What `look` finds, which notes the real names on its way: where it finds nothing it looks once more, until those stay
 * the same. Readers hold no lock: a page or worker may replace a version while it is read.
 */
async function settled<Result>(
  look: (trail: string[]) => Promise<Result | undefined>,
): Promise<Result | undefined> {
  let before: string | undefined;
  for (;;) {
    const trail: string[] = [];
    let failure: unknown;
    const found = await look(trail).catch((error) => {
      failure = error;
      return undefined;
    });
    if (found !== undefined) return found;
    const names = trail.join("/");
    if (names === before) return failure === undefined ? undefined : missing(failure);
    before = names;
  }
}

interface Versions {
  readonly whole: readonly number[];
  /** All versions, whole or not. */
  readonly begun: readonly number[];
  /** A folder that was made on the way to what is in it. */
  readonly plain: boolean;
}

async function entriesOf(folder: FileSystemDirectoryHandle): Promise<[string, FileSystemHandle][]> {
  const entries: [string, FileSystemHandle][] = [];
  const iterable = folder as unknown as AsyncIterable<[string, FileSystemHandle]>;
  for await (const entry of iterable) entries.push(entry);
  return entries;
}

async function versionsOf(folder: FileSystemDirectoryHandle, name: string): Promise<Versions> {
  const whole: number[] = [];
  const begun: number[] = [];
  let plain = false;
  for (const [entry] of await entriesOf(folder)) {
    const marked = MARKER.exec(entry);
    const version = marked === null ? VERSION.exec(entry) : null;
    if (marked?.[1] === name) whole.push(Number(marked[2]));
    else if (version?.[1] === name) begun.push(Number(version[2]));
    else plain ||= entry === name;
  }
  return { whole, begun, plain };
}

/** Removes versions: first what says that they are whole, so that none is seen in part. */
async function clear(
  folder: FileSystemDirectoryHandle,
  name: string,
  { whole, begun, plain }: Versions,
): Promise<void> {
  const remove = (entry: string): Promise<void> =>
    folder.removeEntry(entry, { recursive: true }).catch((error) => void missing(error));
  for (const version of [...whole].sort((a, b) => a - b)) await remove(`${name}~v${version}.whole`);
  for (const version of begun) await remove(`${name}~v${version}`);
  if (plain) await remove(name);
}

/** Writes a file, flushed. */
async function put(
  folder: FileSystemDirectoryHandle,
  name: string,
  bytes: Uint8Array,
  append = false,
): Promise<void> {
  const file = await folder.getFileHandle(name, { create: true });
  const { createSyncAccessHandle } = file as WorkerFileHandle;
  if (createSyncAccessHandle === undefined) {
    const writable = await file.createWritable({ keepExistingData: append });
    const position = append ? (await file.getFile()).size : 0;
    await writable.write({ type: "write", position, data: bytes as Uint8Array<ArrayBuffer> });
    await writable.close();
    return;
  }
  const handle = await createSyncAccessHandle.call(file);
  try {
    let at = append ? handle.getSize() : 0;
    if (!append) handle.truncate(0);
    for (let offset = 0; offset < bytes.length; ) {
      const written = handle.write(bytes.subarray(offset), { at });
      if (!(written > 0)) throw new DOMException("nothing was written", "QuotaExceededError");
      offset += written;
      at += written;
    }
    handle.flush();
  } finally {
    handle.close();
  }
}

/** Undefined for what is not there. */
function missing(error: unknown): undefined {
  if (["NotFoundError", "TypeMismatchError"].includes((error as DOMException).name)) return undefined;
  throw error;
}

/** One change at a time, also where several pages and workers of the origin write. */
function locked<Result>(work: () => Promise<Result>): Promise<Result> {
  const { locks } = navigator;
  return locks === undefined ? work() : (locks.request(LOCK, work) as Promise<Result>);
}

/** The parts of a path. @throws InputError for a part that leads elsewhere or that versions are named by. */
export function segmentsOf(path: string): string[] {
  const segments = path.split("/").filter((segment) => segment !== "");
  const bad = segments.find(
    (segment) => segment === "." || segment === ".." || /~v\d+(\.whole)?$/.test(segment),
  );
  if (bad !== undefined || segments.length === 0)
    throw new InputError(`storage: expected a path of names with / between, got ${path || '""'}`);
  return segments;
}

/** What the browser refuses, as an error of ours. */
export function storageError(error: unknown): unknown {
  if ((error as DOMException | null)?.name !== "QuotaExceededError") return error;
  return new InputError(
    "storage: expected room in the browser's storage, got QuotaExceededError; remove old runs or keep fewer checkpoints",
    { cause: error },
  );
}
