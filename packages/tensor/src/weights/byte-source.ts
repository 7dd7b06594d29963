import { WeightsError } from "../errors.js";

/** Bytes that are read by range. */
export interface ByteSource {
  /** What errors call it; of a URL without its query, which may carry a secret. */
  readonly name: string;
  readonly size: number;
  /** The bytes from `start` to before `end`, in memory that the caller may keep. */
  read(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
  /**
   * Opens a file that lies beside this one, such as a shard beside its index. Absent where nothing lies beside it
   * (bytes in memory, a single `File`).
   */
  sibling?(file: string, signal?: AbortSignal): Promise<ByteSource>;
}

/** Whether `value` is a source that somebody opened. */
export function isByteSource(value: unknown): value is ByteSource {
  const source = value as ByteSource | null | undefined;
  return (
    typeof source === "object" &&
    typeof source?.read === "function" &&
    typeof source.size === "number" &&
    typeof source.name === "string"
  );
}

/** Bytes in memory. */
export function memorySource(data: Uint8Array, name = "bytes"): ByteSource {
  return {
    name,
    size: data.byteLength,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      return Uint8Array.prototype.slice.call(data, start, end);
    },
  };
}

/** A `Blob` or `File`. */
export function blobSource(
  blob: Blob,
  name = "name" in blob && typeof blob.name === "string" ? blob.name : "Blob",
): ByteSource {
  return {
    name,
    size: blob.size,
    async read(start, end, signal) {
      signal?.throwIfAborted();
      let bytes: Uint8Array;
      try {
        bytes = new Uint8Array(await blob.slice(start, end).arrayBuffer());
      } catch (error) {
        throw new WeightsError(
          `${name}: expected a file that can be read, got ${String(error)}; choose it again`,
        );
      }
      signal?.throwIfAborted();
      return assertComplete(name, bytes, end - start);
    },
  };
}

/** @throws WeightsError unless all bytes came. */
export function assertComplete(name: string, bytes: Uint8Array, expected: number): Uint8Array {
  if (bytes.byteLength !== expected)
    throw new WeightsError(
      `${name}: expected ${expected} bytes, got ${bytes.byteLength}; the file is cut off or changed meanwhile`,
    );
  return bytes;
}

/** Whether code runs in a page or a worker of a browser. */
export function inBrowser(): boolean {
  return typeof globalThis.process?.versions?.node !== "string";
}
