import { assertOptions } from "../arguments.js";
import { InputError } from "../errors.js";
import { bytesInOrder, type Pending, prepareInputs, type SafetensorsInputs, startReads } from "./inputs.js";
import { type FileToWrite, replaceFiles } from "./replace-files.js";
import { planSafetensors } from "./safetensors.js";
import type { WriteOptions } from "./write-safetensors.js";

/** Options of {@link saveShardedSafetensors} and {@link writeShardedSafetensors}. */
export interface ShardOptions extends WriteOptions {
  /** Bytes of tensors that a file may have; a larger tensor gets a file of its own. Default 5e9, as `huggingface_hub` has it. */
  readonly maxShardBytes?: number;
}

/** `huggingface_hub`'s "5GB". */
const DEFAULT_SHARD_BYTES = 5e9;
const WEIGHTS_FILE = /^model(?:-\d{5}-of-\d{5})?\.safetensors(?:\.index\.json)?$/;

/** A file, with what it will hold. */
export interface PlannedFile {
  readonly name: string;
  readonly byteLength: number;
  readonly pieces: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A file whose bytes are there. */
export function plannedBytes(name: string, bytes: Uint8Array): PlannedFile {
  return { name, byteLength: bytes.byteLength, pieces: () => [bytes] };
}

/** Whether a file of a model's folder belongs to a model written earlier, sharded or not. */
export function isWeightsFile(name: string): boolean {
  return WEIGHTS_FILE.test(name);
}

/** Names of tensors by file, split in their order as `huggingface_hub` splits them. */
function splitIntoShards(
  entries: ReadonlyMap<string, Pending>,
  maxShardBytes: number,
): Map<string, string[]> {
  const shards: string[][] = [];
  let current: string[] = [];
  let bytes = 0;
  for (const [name, { byteLength }] of entries) {
    if (byteLength > maxShardBytes) {
      shards.push([name]);
      continue;
    }
    if (bytes + byteLength > maxShardBytes) {
      shards.push(current);
      current = [];
      bytes = 0;
    }
    current.push(name);
    bytes += byteLength;
  }
  if (current.length > 0) shards.push(current);
  if (shards.length <= 1) return new Map([["model.safetensors", shards[0] ?? []]]);
  const digits = (count: number): string => String(count).padStart(5, "0");
  return new Map(
    shards.map((names, index) => [
      `model-${digits(index + 1)}-of-${digits(shards.length)}.safetensors`,
      names,
    ]),
  );
}

/** As Python's `json.dump` with an indent of 2 writes it: beyond ASCII in escapes. */
function indexJson(files: ReadonlyMap<string, string[]>, totalBytes: number): string {
  const quote = (text: string): string =>
    JSON.stringify(text).replace(
      /[\u007f-\uffff]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  const lines = [...files].flatMap(([file, names]) =>
    names.map((name) => `    ${quote(name)}: ${quote(file)}`),
  );
  return `{\n  "metadata": {\n    "total_size": ${totalBytes}\n  },\n  "weight_map": {\n${lines.join(",\n")}\n  }\n}`;
}

/**
 * The files of a model's weights; the index comes last.
 * @throws InputError for something that cannot be stored.
 */
export function planShards(
  operation: string,
  tensors: SafetensorsInputs,
  { maxShardBytes = DEFAULT_SHARD_BYTES, metadata, signal }: ShardOptions,
): PlannedFile[] {
  if (!(maxShardBytes > 0))
    throw new InputError(`${operation}: expected maxShardBytes above 0, got ${maxShardBytes}`);
  const entries = startReads(prepareInputs(operation, tensors), signal);
  const shards = splitIntoShards(entries, maxShardBytes);
  const files = [...shards].map(([name, names]): PlannedFile => {
    const members = new Map(names.map((member) => [member, entries.get(member)!]));
    const { head, order, byteLength } = planSafetensors(members, metadata === undefined ? {} : { metadata });
    const pieces = async function* (): AsyncGenerator<Uint8Array> {
      yield head;
      yield* bytesInOrder(members, order, signal);
    };
    return { name, byteLength, pieces };
  });
  if (files.length === 1) return files;
  const total = [...entries.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
  const index = new TextEncoder().encode(indexJson(shards, total));
  return [...files, plannedBytes("model.safetensors.index.json", index)];
}

/** Planned files as bytes. */
export async function collectFiles(
  files: readonly PlannedFile[],
  signal: AbortSignal | undefined,
): Promise<Map<string, Uint8Array>> {
  const collected = new Map<string, Uint8Array>();
  for (const { name, byteLength, pieces } of files) {
    const bytes = new Uint8Array(byteLength);
    let offset = 0;
    for await (const piece of pieces()) {
      bytes.set(piece, offset);
      offset += piece.byteLength;
    }
    signal?.throwIfAborted();
    collected.set(name, bytes);
  }
  return collected;
}

/** Writes planned files into a folder, all or nothing; weights of an earlier model there go when the new ones are in place. */
export async function savePlanned(
  operation: string,
  folder: string,
  planned: readonly PlannedFile[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const isNode = typeof globalThis.process?.versions?.node === "string";
  const join = isNode
    ? (await import(/* webpackIgnore: true */ "node:path")).join
    : (...parts: string[]) => parts.join("/");
  const files = planned.map(({ name, pieces }): FileToWrite => ({ path: join(folder, name), pieces }));
  await replaceFiles(operation, files, signal);
  const { readdir, rm } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const kept = new Set(planned.map(({ name }) => name));
  for (const name of await readdir(folder))
    if (isWeightsFile(name) && !kept.has(name)) await rm(join(folder, name));
}

/**
 * The files of a model's weights by name: `model.safetensors`, or above `maxShardBytes` the files
 * `model-00001-of-00002.safetensors` … with `model.safetensors.index.json`. Byte-identical to what `huggingface_hub`'s
 * `save_torch_state_dict` writes of the same tensors in the same order.
 * @param tensors By name, any shape, as {@link writeSafetensors} takes them. A Map keeps the order of names such as "0".
 * @throws InputError for something that cannot be stored.
 * @example
 * const files = await writeShardedSafetensors(tensors, { maxShardBytes: 1e9, metadata: { format: "pt" } });
 */
export async function writeShardedSafetensors(
  tensors: SafetensorsInputs,
  options: ShardOptions = {},
): Promise<Map<string, Uint8Array>> {
  assertOptions("writeShardedSafetensors", options, ["maxShardBytes", "metadata", "signal"]);
  options.signal?.throwIfAborted();
  return collectFiles(planShards("writeShardedSafetensors", tensors, options), options.signal);
}

/**
 * Writes a model's weights into a folder (Node), as {@link writeShardedSafetensors} names them; files of an earlier model
 * there (`model*.safetensors`, its index) are removed once the new ones are in place.
 * @param folder It must exist.
 * @param tensors By name, any shape; lazy ones are read one at a time.
 * @throws InputError for something that cannot be stored or in a browser, WeightsError when the disk refuses.
 * @example
 * await saveShardedSafetensors("models/mine", await model.stateDict(), { maxShardBytes: 2e9 });
 */
export async function saveShardedSafetensors(
  folder: string,
  tensors: SafetensorsInputs,
  options: ShardOptions = {},
): Promise<void> {
  assertOptions("saveShardedSafetensors", options, ["maxShardBytes", "metadata", "signal"]);
  options.signal?.throwIfAborted();
  const planned = planShards("saveShardedSafetensors", tensors, options);
  await savePlanned("saveShardedSafetensors", folder, planned, options.signal);
}
