import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { WeightsError } from "../errors.js";
import { decode, type HostEntry } from "./dtypes.js";
import {
  headerLength,
  PREFIX_BYTES,
  parseHeader,
  type SafetensorsHeader,
  type SafetensorsInfo,
} from "./header.js";
import { metadataRecord, type SafetensorsEntry } from "./safetensors.js";
import { readShardIndex } from "./shard-index.js";
import { type ByteSource, openSource, type WeightsSource } from "./sources.js";
import { hostToTensor, type ReadManyOptions, type ReadOptions, type WeightsFile } from "./weights-file.js";

interface Stored extends SafetensorsInfo {
  readonly source: ByteSource;
}

/** Neighbouring tensors are read together up to this many bytes. */
const MOST_BYTES_AT_ONCE = 2 ** 26;

/** Opened weights: the header is known, the tensors are read when they are asked for. Nothing stays open. */
export class SafetensorsFile implements WeightsFile {
  /** Names in the order of the file; those of a sharded model, file after file. */
  readonly names: readonly string[];
  /** Text by name. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly #tensors: ReadonlyMap<string, Stored>;

  /** @internal Use {@link readSafetensors}. */
  constructor(files: readonly { readonly source: ByteSource; readonly header: SafetensorsHeader }[]) {
    const tensors = new Map<string, Stored>();
    const metadata = new Map<string, string>();
    for (const { source, header } of files) {
      for (const [name, info] of header.tensors) {
        if (tensors.has(name))
          throw new WeightsError(
            `${source.name}: expected tensor ${JSON.stringify(name)} in one file, got it in two`,
          );
        tensors.set(name, { ...info, source });
      }
      for (const [key, text] of header.metadata) metadata.set(key, text);
    }
    this.#tensors = tensors;
    this.names = [...tensors.keys()];
    this.metadata = metadataRecord(metadata);
  }

  /** Whether there is a tensor of that name. */
  has(name: string): boolean {
    return this.#tensors.has(name);
  }

  /** Stored dtype and shape of a tensor. @throws WeightsError when there is none of that name. */
  info(name: string): Pick<SafetensorsInfo, "dtype" | "shape"> {
    const { dtype, shape } = this.#stored(name);
    return { dtype, shape };
  }

  /** A tensor's bytes as they are stored, of any dtype. @throws WeightsError when there is none of that name. */
  async entry(name: string, options: ReadOptions = {}): Promise<SafetensorsEntry> {
    const [[, entry]] = await this.#read([name], options);
    return entry;
  }

  /**
   * A tensor's values on the host; F64, F16 and BF16 as float32, small integers as int32, I64 exactly.
   * @throws WeightsError when there is none of that name, or its dtype or a value has no place in a tensor.
   */
  async host(name: string, options: ReadOptions = {}): Promise<HostEntry> {
    return decode(this.#where(name), await this.entry(name, options), true);
  }

  /**
   * A new tensor on the device in use; F64, F16 and BF16 become float32, integers int32.
   * @throws WeightsError when there is none of that name, its dtype has no tensor (F8 …) or an integer does not fit int32.
   */
  async tensor(name: string, options: ReadOptions = {}): Promise<Tensor> {
    const where = this.#where(name);
    return hostToTensor(where, decode(where, await this.entry(name, options), false));
  }

  /** Several as {@link SafetensorsFile.host} gives them, neighbours in one read. */
  async hosts({ names = this.names, signal }: ReadManyOptions = {}): Promise<Map<string, HostEntry>> {
    const entries = await this.#read(names, signal === undefined ? {} : { signal });
    return new Map(entries.map(([name, entry]) => [name, decode(this.#where(name), entry, true)]));
  }

  /** Several as {@link SafetensorsFile.tensor} gives them, neighbours in one read. All are the caller's. */
  async tensors({ names = this.names, signal }: ReadManyOptions = {}): Promise<Map<string, Tensor>> {
    const entries = await this.#read(names, signal === undefined ? {} : { signal });
    const hosts = entries.map(([name, entry]) => [name, decode(this.#where(name), entry, false)] as const);
    return new Map(hosts.map(([name, host]) => [name, hostToTensor(this.#where(name), host)]));
  }

  #where(name: string): string {
    return `${this.#stored(name).source.name}: tensor ${JSON.stringify(name)}`;
  }

  #stored(name: string): Stored {
    const stored = this.#tensors.get(name);
    if (stored === undefined) {
      const some = this.names.slice(0, 5).join(", ");
      throw new WeightsError(
        `readSafetensors: expected a tensor of the file, got ${JSON.stringify(name)}; there are ${this.names.length}: ${some} …`,
      );
    }
    return stored;
  }

  /** Entries in the order of `names`. */
  async #read(names: readonly string[], { signal }: ReadOptions): Promise<[string, SafetensorsEntry][]> {
    const wanted = [...new Set(names)].map((name) => ({ name, stored: this.#stored(name) }));
    wanted.sort((a, b) => a.stored.start - b.stored.start || a.stored.end - b.stored.end);
    const entries = new Map<string, SafetensorsEntry>();
    for (const source of new Set(wanted.map(({ stored }) => stored.source))) {
      const members = wanted.filter(({ stored }) => stored.source === source);
      for (let first = 0; first < members.length; ) {
        const { start } = members[first].stored;
        let { end } = members[first].stored;
        let next = first + 1;
        for (; next < members.length; next++) {
          const { stored } = members[next];
          if (stored.start !== end || stored.end - start > MOST_BYTES_AT_ONCE) break;
          end = stored.end;
        }
        const bytes = start === end ? new Uint8Array(0) : await source.read(start, end, signal);
        for (const { name, stored } of members.slice(first, next)) {
          const { dtype, shape } = stored;
          entries.set(name, {
            dtype,
            shape,
            bytes: bytes.subarray(stored.start - start, stored.end - start),
          });
        }
        first = next;
      }
    }
    return names.map((name) => [name, entries.get(name)!]);
  }
}

async function openFile(source: ByteSource, signal: AbortSignal | undefined) {
  const prefix = await source.read(0, Math.min(PREFIX_BYTES, source.size), signal);
  const length = headerLength(source.name, prefix, source.size);
  const bytes = await source.read(PREFIX_BYTES, PREFIX_BYTES + length, signal);
  return { source, header: parseHeader(source.name, bytes, source.size) };
}

/** Files of a sharded model, next to its index. */
async function openShards(
  index: ByteSource,
  sibling: (file: string) => Promise<ByteSource>,
  signal: AbortSignal | undefined,
): Promise<SafetensorsFile> {
  const files: { source: ByteSource; header: SafetensorsHeader }[] = [];
  for (const [file, names] of await readShardIndex(index, signal)) {
    const { source, header } = await openFile(await sibling(file), signal);
    const absent = names.find((name) => !header.tensors.has(name));
    if (absent !== undefined)
      throw new WeightsError(
        `${source.name}: expected tensor ${JSON.stringify(absent)}, as ${index.name} says, got a file without it`,
      );
    files.push({ source, header });
  }
  return new SafetensorsFile(files);
}

/** @returns the file of weights in a folder of Node's file system; undefined when `source` is none. */
async function inFolder(source: WeightsSource): Promise<{ folder: string; file: string } | undefined> {
  if (typeof globalThis.process?.versions?.node !== "string") return undefined;
  const isPath = typeof source === "string" && !/^[a-z][a-z\d+.-]+:\/\//i.test(source);
  const isFileUrl = (typeof source === "string" || source instanceof URL) && /^file:/i.test(String(source));
  if (!isPath && !isFileUrl) return undefined;
  const { stat } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { join } = await import(/* webpackIgnore: true */ "node:path");
  const { fileURLToPath } = await import(/* webpackIgnore: true */ "node:url");
  const folder = isFileUrl ? fileURLToPath(String(source)) : (source as string);
  const kind = await stat(folder).catch(() => undefined);
  if (!kind?.isDirectory()) return undefined;
  for (const file of ["model.safetensors", "model.safetensors.index.json"])
    if ((await stat(join(folder, file)).catch(() => undefined))?.isFile()) return { folder, file };
  throw new WeightsError(
    `${folder}: expected model.safetensors or model.safetensors.index.json in the folder, got neither`,
  );
}

/**
 * Opens safetensors weights. Only headers are read now; each tensor is read when asked for, by range where the
 * source can.
 * @param source A path of a file or a model folder (Node), an `http(s)` or `file` URL, a `Blob` or `File`, or bytes.
 * A name that ends in `.index.json` is the index of a sharded model, whose files lie beside it.
 * @throws WeightsError for a damaged file, DownloadError when a server does not give it, and the signal's reason.
 * @example
 * const weights = await readSafetensors("models/tiny");
 * const tensors = await weights.tensors();
 */
export async function readSafetensors(
  source: WeightsSource,
  options: ReadOptions = {},
): Promise<SafetensorsFile> {
  assertOptions("readSafetensors", options, ["signal"]);
  const { signal } = options;
  signal?.throwIfAborted();
  const found = await inFolder(source);
  if (found !== undefined) {
    const { join } = await import(/* webpackIgnore: true */ "node:path");
    return readSafetensors(join(found.folder, found.file), signal === undefined ? {} : { signal });
  }
  const opened = await openSource(source, signal);
  if (opened.sibling === undefined || !opened.name.endsWith(".index.json"))
    return new SafetensorsFile([await openFile(opened, signal)]);
  return openShards(opened, (file) => opened.sibling!(file, signal), signal);
}
