import { InputError, WeightsError } from "../errors.js";

/** A file that is written piece by piece. */
export interface FileToWrite {
  readonly path: string;
  readonly pieces: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Writes files (Node), all or nothing: the bytes go to files beside them, reach the disk, and only then take the names,
 * in the order given.
 * @param operation Name for errors.
 * @throws InputError in a browser, WeightsError when the disk refuses, the signal's reason.
 */
export async function replaceFiles(
  operation: string,
  files: readonly FileToWrite[],
  signal: AbortSignal | undefined,
): Promise<void> {
  if (typeof globalThis.process?.versions?.node !== "string")
    throw new InputError(
      `${operation}: expected Node, got a browser; take the bytes of ${operation.replace(/^save/, "write")}`,
    );
  signal?.throwIfAborted();
  const { open, rename, rm } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { dirname } = await import(/* webpackIgnore: true */ "node:path");
  const mark = `${globalThis.process.pid}-${Math.random().toString(36).slice(2)}.tmp`;
  const written: string[] = [];
  let current = "";
  try {
    for (const { path, pieces } of files) {
      current = path;
      const file = await open(`${path}.${mark}`, "wx");
      written.push(path);
      try {
        for await (const piece of pieces()) {
          signal?.throwIfAborted();
          await file.writeFile(piece);
        }
        await file.sync();
      } finally {
        await file.close();
      }
    }
    signal?.throwIfAborted();
    for (const path of [...written]) {
      current = path;
      await rename(`${path}.${mark}`, path);
      written.shift();
    }
  } catch (error) {
    for (const path of written) await rm(`${path}.${mark}`, { force: true });
    signal?.throwIfAborted();
    if (error instanceof Error && "code" in error && typeof error.code === "string" && "syscall" in error)
      throw new WeightsError(`${current}: expected a file that can be written, got ${error.message}`);
    throw error;
  }
  // the new names themselves must reach the disk too; some systems cannot open a folder, then the rename is all there is
  for (const path of new Set(files.map((file) => dirname(file.path)))) {
    const folder = await open(path, "r").catch(() => undefined);
    await folder?.sync().catch(() => undefined);
    await folder?.close();
  }
}
