import {
  InputError,
  type ModelSource,
  type OpenModelOptions,
  openModelFiles,
  readSafetensors,
  saveSafetensors,
  WeightsError,
  writeSafetensors,
} from "@ai/tensor";
import { type AnyModule, Module } from "../module.js";
import type { LoadReport, StateDict } from "../state-dict.js";
import { assertOptionNames } from "../training/option-names.js";
import { applyLora, layersWithAdapters, removeLora, setActiveAdapters, settingsOf } from "./lora.js";
import { modulesNamed } from "./lora-options.js";
import { fromPeftConfig, toPeftConfig } from "./peft-config.js";

const CONFIG = "adapter_config.json";
const WEIGHTS = "adapter_model.safetensors";
/** What PEFT puts before the paths of a model's modules. */
const PREFIX = "base_model.model";

/** Options of {@link saveAdapter} and {@link writeAdapter}. */
export interface SaveAdapterOptions {
  /** Which set. Default `"default"`. */
  readonly adapterName?: string;
  /** Name or path of the model that it belongs to (`base_model_name_or_path`). */
  readonly baseModel?: string;
  /** PEFT's name of the task, such as `"SEQ_CLS"` or `"CAUSAL_LM"` (`task_type`). */
  readonly taskType?: string;
  readonly signal?: AbortSignal;
}

/** Options of {@link loadAdapter}. */
export interface LoadAdapterOptions extends OpenModelOptions {
  /** Name that the set gets. Default `"default"`. */
  readonly adapterName?: string;
  /** Whether it is trained further. Default false. */
  readonly trainable?: boolean;
}

/** The parts of a model that an adapter's file holds, under the names that PEFT gives them. */
class AdapterParts extends Module<[], never> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = { parts: "" };
  readonly parts: Readonly<Record<string, AnyModule>>;

  constructor(model: AnyModule, adapterName: string) {
    super();
    const { modulesToSave } = settingsOf("saveAdapter", model, adapterName);
    const whole = modulesNamed(model, "modulesToSave", modulesToSave);
    const adapters = layersWithAdapters(model).flatMap(([path, , { adapters: byName }]) =>
      byName[adapterName] === undefined ? [] : [[path, byName[adapterName]] as const],
    );
    this.parts = Object.fromEntries(
      [...adapters, ...whole].map(([path, module]) => [path === "" ? PREFIX : `${PREFIX}.${path}`, module]),
    );
  }

  protected forward(): never {
    throw new InputError("AdapterParts: expected no call, got one");
  }
}

async function collect(
  operation: string,
  model: AnyModule,
  options: SaveAdapterOptions,
): Promise<{ config: string; tensors: StateDict }> {
  assertOptionNames(operation, options, ["adapterName", "baseModel", "taskType", "signal"]);
  const { adapterName = "default", baseModel, taskType, signal } = options;
  signal?.throwIfAborted();
  const settings = settingsOf(operation, model, adapterName);
  const adapted = layersWithAdapters(model).filter(
    ([, , { adapters }]) => adapters[adapterName] !== undefined,
  );
  const config = toPeftConfig(settings, {
    paths: adapted.map(([path]) => path),
    baseModel: baseModel ?? null,
    taskType: taskType ?? null,
  });
  const tensors = await new AdapterParts(model, adapterName).stateDict();
  signal?.throwIfAborted();
  return { config: `${JSON.stringify(config, null, 2)}\n`, tensors };
}

/**
 * The files of a set of adapters as Hugging Face's PEFT has them: `adapter_config.json` and `adapter_model.safetensors`.
 * @returns bytes by name.
 * @throws InputError when the model has no adapters of that name.
 */
export async function writeAdapter(
  model: AnyModule,
  options: SaveAdapterOptions = {},
): Promise<Map<string, Uint8Array>> {
  const { config, tensors } = await collect("writeAdapter", model, options);
  const { signal } = options;
  return new Map([
    [CONFIG, new TextEncoder().encode(config)],
    [WEIGHTS, await writeSafetensors(tensors, { metadata: { format: "pt" }, ...(signal && { signal }) })],
  ]);
}

/**
 * Writes a set of adapters to a folder (Node), which PEFT opens: `PeftModel.from_pretrained(model, folder)`.
 * @throws InputError when the model has no adapters of that name, or in a browser; WeightsError when the disk refuses.
 * @example
 * await saveAdapter("adapters/mine", model, { baseModel: "bert-base-uncased", taskType: "SEQ_CLS" });
 */
export async function saveAdapter(
  folder: string,
  model: AnyModule,
  options: SaveAdapterOptions = {},
): Promise<void> {
  if (typeof globalThis.process?.versions?.node !== "string")
    throw new InputError("saveAdapter: expected Node, got a browser; take the bytes of writeAdapter");
  const { config, tensors } = await collect("saveAdapter", model, options);
  const { signal } = options;
  const { mkdir, writeFile } = await import(/* webpackIgnore: true */ "node:fs/promises");
  const { join } = await import(/* webpackIgnore: true */ "node:path");
  try {
    await mkdir(folder, { recursive: true });
    await saveSafetensors(join(folder, WEIGHTS), tensors, {
      metadata: { format: "pt" },
      ...(signal && { signal }),
    });
    await writeFile(join(folder, CONFIG), config, { signal });
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof WeightsError) throw cause;
    throw new WeightsError(`saveAdapter: expected ${folder} to take files, got ${String(cause)}`, { cause });
  }
}

/**
 * Adds adapters that {@link saveAdapter} or PEFT wrote to a model and makes them the active ones. Strict: every name of
 * the file must have its place, and every place its name; else the model stays as it was.
 * @param source A folder (Node), a repository of the hub, a URL, files that a user chose, or bytes by name.
 * @returns no missing and no unused names.
 * @throws WeightsError for a file that does not fit this model, or settings that are not supported, each named; DownloadError.
 * @example
 * await loadAdapter(model, "adapters/mine");
 */
export async function loadAdapter(
  model: AnyModule,
  source: ModelSource,
  options: LoadAdapterOptions = {},
): Promise<LoadReport> {
  assertOptionNames("loadAdapter", options, [
    "adapterName",
    "trainable?",
    "revision",
    "subfolder",
    "endpoint",
    "token",
    "offline?",
    "cacheFolder",
    "cache",
    "signal",
    "onProgress",
  ]);
  const { adapterName = "default", trainable = false, ...others } = options;
  const files = await openModelFiles(source, others);
  const { signal } = options;
  const settings = fromPeftConfig(await files.readText(CONFIG, { signal }));
  const weights = await readSafetensors(new Blob([(await files.read(WEIGHTS, { signal })) as BlobPart]), {
    signal,
  });
  const state = await weights.hosts(signal === undefined ? {} : { signal });
  // PEFT lists "classifier" and "score" for every classifier; the file's names say which there is
  const paths = model.namedModules().map(([path]) => `.${path}`);
  const modulesToSave = settings.modulesToSave?.filter((name) =>
    paths.some((path) => path.endsWith(`.${name}`)),
  );
  applyLora(model, { ...settings, modulesToSave, adapterName });
  try {
    const report = new AdapterParts(model, adapterName).loadStateDict(state);
    setActiveAdapters(model, [adapterName], { trainable });
    return report;
  } catch (error) {
    removeLora(model, { adapterName });
    throw error;
  }
}
