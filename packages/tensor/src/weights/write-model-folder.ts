import { assertOptions } from "../arguments.js";
import { InputError } from "../errors.js";
import { isFileName } from "./file-names.js";
import type { SafetensorsInputs } from "./inputs.js";
import { formatModelCard, type ModelCard } from "./model-card.js";
import {
  collectFiles,
  isWeightsFile,
  type PlannedFile,
  plannedBytes,
  planShards,
  type ShardOptions,
  savePlanned,
} from "./write-shards.js";

/** A file's content: text, bytes, or a value that is written as JSON. */
export type FileContent = string | Uint8Array | Readonly<Record<string, unknown>> | readonly unknown[];

/** A model as a folder in the form of the Hugging Face hub. */
export interface ModelFolder {
  /** `config.json`: `architectures`, `model_type` and the sizes, as Transformers names them. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Weights by the names that the architecture has there ({@link invertMapping} of what they were loaded by). */
  readonly tensors: SafetensorsInputs;
  /** More files by path, such as `tokenizer.json`, `vocab.txt`, `preprocessor_config.json`, `generation_config.json`. */
  readonly files?: Readonly<Record<string, FileContent>>;
  /** `README.md`. */
  readonly card?: ModelCard;
}

const OPTIONS = ["maxShardBytes", "metadata", "signal"] as const;

/** @throws InputError for what JSON would change in silence. */
function json(operation: string, name: string, value: unknown): string {
  const refuse = (key: string, got: unknown): never => {
    throw new InputError(
      `${operation}: expected values that JSON has in ${name}, got ${String(got)} for ${JSON.stringify(key)}`,
    );
  };
  const text = JSON.stringify(
    value,
    (key, inner: unknown) => {
      if (typeof inner === "number" && !Number.isFinite(inner)) return refuse(key, inner);
      if (["bigint", "function", "symbol"].includes(typeof inner)) return refuse(key, typeof inner);
      if (inner instanceof Map || inner instanceof Set || ArrayBuffer.isView(inner))
        return refuse(key, inner.constructor.name);
      return inner;
    },
    2,
  );
  return `${text}\n`;
}

function planFolder(operation: string, model: ModelFolder, options: ShardOptions): PlannedFile[] {
  assertOptions(operation, options, OPTIONS);
  assertOptions(`${operation}: the model`, model, ["config", "tensors", "files", "card"]);
  const { config, tensors, files = {}, card } = model;
  if (typeof config !== "object" || config === null || Array.isArray(config))
    throw new InputError(`${operation}: expected config as an object, got ${JSON.stringify(config)}`);
  const contents = new Map<string, FileContent>([["config.json", config]]);
  if (card !== undefined) contents.set("README.md", formatModelCard(operation, card));
  for (const [name, content] of Object.entries(files)) {
    if (!isFileName(name) || isWeightsFile(name) || contents.has(name))
      throw new InputError(
        `${operation}: expected files by paths inside the folder, other than config.json, README.md of a card and weights, got ${JSON.stringify(name)}`,
      );
    contents.set(name, content);
  }
  const planned = [...contents].map(([name, content]) => {
    if (content instanceof Uint8Array) return plannedBytes(name, content);
    if (typeof content !== "string" && (typeof content !== "object" || content === null))
      throw new InputError(
        `${operation}: expected text, bytes or an object for ${JSON.stringify(name)}, got ${content === null ? "null" : typeof content}`,
      );
    const text = typeof content === "string" ? content : json(operation, name, content);
    return plannedBytes(name, new TextEncoder().encode(text));
  });
  // Transformers asks for the format
  const metadata = { format: "pt", ...options.metadata };
  return [...planned, ...planShards(operation, tensors, { ...options, metadata })];
}

/**
 * The files of a model's folder by path, in the form that Hugging Face's `from_pretrained` opens: `config.json`,
 * `model.safetensors` (or shards with their index above `maxShardBytes`), the card as `README.md`, and the files given.
 * @throws InputError for something that cannot be stored, a path that leads out of the folder or a name that is taken.
 * @example
 * const files = await writeModelFolder({ config, tensors: await model.stateDict(), files: { "vocab.txt": vocabulary } });
 */
export async function writeModelFolder(
  model: ModelFolder,
  options: ShardOptions = {},
): Promise<Map<string, Uint8Array>> {
  options.signal?.throwIfAborted();
  return collectFiles(planFolder("writeModelFolder", model, options), options.signal);
}

/**
 * Writes a model's folder (Node), as {@link writeModelFolder} gives it, all or nothing; makes the folder. Weights of an
 * earlier model there are removed once the new ones are in place, other files stay.
 * @throws InputError as {@link writeModelFolder} and in a browser, WeightsError when the disk refuses.
 * @example
 * await saveModelFolder("models/mine", {
 *   config: { architectures: ["BertModel"], model_type: "bert", hidden_size: 32 },
 *   tensors: await mapWeights(await model.stateDict(), invertMapping(mapping)).hosts(),
 *   files: { "tokenizer.json": tokenizer },
 *   card: { title: "Mine", license: "apache-2.0", text: "Trained on my notes." },
 * });
 */
export async function saveModelFolder(
  folder: string,
  model: ModelFolder,
  options: ShardOptions = {},
): Promise<void> {
  if (typeof globalThis.process?.versions?.node !== "string")
    throw new InputError("saveModelFolder: expected Node, got a browser; take the bytes of writeModelFolder");
  options.signal?.throwIfAborted();
  const planned = planFolder("saveModelFolder", model, options);
  const { mkdir } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { dirname, join } = await import(/* webpackIgnore: true */ "node:path");
  for (const path of new Set(planned.map(({ name }) => dirname(join(folder, name)))))
    await mkdir(path, { recursive: true });
  await savePlanned("saveModelFolder", folder, planned, options.signal);
}
