import { InputError, WeightsError } from "../errors.js";
import { blobSource, memorySource } from "./byte-source.js";
import { filesUnder } from "./cache/disk-store.js";
import { isFileName } from "./file-names.js";
import { fileSource } from "./file-source.js";
import { remoteSource } from "./http/remote-source.js";
import { redact } from "./http/request.js";
import type { FileProvider, ModelFile } from "./model-files.js";

/** A folder of this machine (Node). */
export async function folderFiles(folder: string): Promise<FileProvider> {
  const { stat } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { join } = await import(/* webpackIgnore: true */ "node:path");
  const found = await stat(folder).catch(() => undefined);
  if (!found?.isDirectory())
    throw new WeightsError(
      `${folder}: expected a folder of a model, got ${found === undefined ? "nothing there" : "a file"}; name the folder`,
    );
  return {
    name: folder,
    list: () => filesUnder(folder),
    open: (path) => fileSource(join(folder, ...path.split("/"))),
  };
}

/** The files below a URL. They are read by ranges and not kept. */
export function urlFiles(url: URL): FileProvider {
  const base = new URL(url);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  return {
    name: redact(base),
    async list() {
      throw new InputError(
        `${redact(base)}: expected a model whose files can be listed, got a URL; open the files by name`,
      );
    },
    open(path, { signal }) {
      const file = new URL(path.split("/").map(encodeURIComponent).join("/"), base);
      file.search = base.search;
      return remoteSource(file, signal);
    },
  };
}

/** Files in memory or chosen by a user, by path. */
export function namedFiles(files: ReadonlyMap<string, Blob | Uint8Array>, name: string): FileProvider {
  for (const path of files.keys())
    if (!isFileName(path))
      throw new InputError(
        `openModelFiles: expected paths inside a folder, got ${JSON.stringify(path)}; it leads out of the folder`,
      );
  return {
    name,
    list: async () =>
      [...files].map(([path, file]) => ({
        path,
        sizeBytes: file instanceof Blob ? file.size : file.byteLength,
      })),
    async open(path) {
      const file = files.get(path);
      if (file === undefined)
        throw new InputError(
          `${name}: expected one of its files, got ${JSON.stringify(path)}; there are ${[...files.keys()].slice(0, 10).join(", ")}`,
        );
      return file instanceof Blob ? blobSource(file, path) : memorySource(file, path);
    },
  };
}

/** A list that a user chose; what a chosen folder is called is left out of the paths. */
export function chosenFiles(list: Iterable<Blob>): FileProvider {
  const files = new Map<string, Blob>();
  let name = "files";
  for (const file of list) {
    if (!(file instanceof Blob))
      throw new InputError(`openModelFiles: expected a list of File, got ${typeof file} in it`);
    const inFolder = "webkitRelativePath" in file ? String(file.webkitRelativePath) : "";
    const [top, ...rest] = inFolder.split("/");
    if (rest.length > 0) name = top;
    const path = rest.length > 0 ? rest.join("/") : "name" in file ? String(file.name) : "Blob";
    if (files.has(path))
      throw new InputError(`openModelFiles: expected each file once, got ${JSON.stringify(path)} twice`);
    files.set(path, file);
  }
  return namedFiles(files, name);
}

/** A folder that a page has a handle of: one that the user picked or dropped, or of the private file system. */
export function handleFiles(root: FileSystemDirectoryHandle): FileProvider {
  const name = root.name || "folder";
  const fail = (path: string, error: unknown): never => {
    throw new WeightsError(
      `${name}/${path}: expected a file that can be read, got ${(error as DOMException).name}; choose the folder again`,
    );
  };
  return {
    name,
    async list(signal) {
      const files: ModelFile[] = [];
      const visit = async (folder: FileSystemDirectoryHandle, prefix: string): Promise<void> => {
        for await (const [entry, handle] of folder.entries()) {
          signal?.throwIfAborted();
          const path = `${prefix}${entry}`;
          if (handle.kind === "directory") await visit(handle as FileSystemDirectoryHandle, `${path}/`);
          else files.push({ path });
        }
      };
      await visit(root, "").catch((error) => fail("", signal?.aborted ? signal.reason : error));
      return files.sort((a, b) => (a.path < b.path ? -1 : 1));
    },
    async open(path) {
      try {
        const segments = path.split("/");
        let folder = root;
        for (const segment of segments.slice(0, -1)) folder = await folder.getDirectoryHandle(segment);
        return blobSource(await (await folder.getFileHandle(segments.at(-1)!)).getFile(), path);
      } catch (error) {
        return fail(path, error);
      }
    },
  };
}

/** A dropped folder, as `DataTransferItem.webkitGetAsEntry()` gives it. */
export async function entryFiles(root: FileSystemDirectoryEntry): Promise<FileProvider> {
  const files = new Map<string, Blob>();
  const visit = async (folder: FileSystemDirectoryEntry, prefix: string): Promise<void> => {
    const reader = folder.createReader();
    for (;;) {
      // a reader gives at most a hundred at a time
      const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => {
        reader.readEntries(resolve, reject);
      });
      if (entries.length === 0) return;
      for (const entry of entries)
        if (entry.isDirectory) await visit(entry as FileSystemDirectoryEntry, `${prefix}${entry.name}/`);
        else
          files.set(
            `${prefix}${entry.name}`,
            await new Promise<File>((resolve, reject) => {
              (entry as FileSystemFileEntry).file(resolve, reject);
            }),
          );
    }
  };
  try {
    await visit(root, "");
  } catch (error) {
    throw new WeightsError(
      `${root.name}: expected a folder that can be read, got ${(error as DOMException).name}; drop it again`,
    );
  }
  return namedFiles(files, root.name);
}
