import { InputError } from "@ai/tensor";
import { assertIntegers, assertProbability } from "../checks.js";
import { Conv2d } from "../conv.js";
import { Conv1d, Conv3d } from "../conv-nd.js";
import { Embedding } from "../embedding.js";
import { Linear } from "../linear.js";
import type { AnyModule } from "../module.js";
import { QuantizedLinear } from "../quantization/quantized-layers.js";
import { assertOptionNames } from "../training/option-names.js";
import type { AdaptableConv, AdaptableLayer } from "./lora-adapter.js";

/** Which layers: ends of their paths, a pattern of whole paths, or every linear layer. */
export type LoraTargets = readonly string[] | RegExp | "all-linear";

/** Options of {@link applyLora}; PEFT's names in brackets. */
export interface LoraOptions {
  /**
   * Layers to adapt (`target_modules`): a path's last parts, such as `"q_proj"` or `"0.fc"`; a pattern that fits the whole
   * path; or `"all-linear"`. Linear, QuantizedLinear, Conv1d, Conv2d, Conv3d and Embedding can be adapted.
   */
  readonly targetModules: LoraTargets;
  /** Size between the two factors (`r`). Default 8. */
  readonly rank?: number;
  /** Strength (`lora_alpha`): the change is scaled by `alpha / rank`. Default 8. */
  readonly alpha?: number;
  /** Dropout before the adapter, in training (`lora_dropout`). Default 0. A table has none. */
  readonly dropout?: number;
  /** Train the length of each output's weights apart from their direction (`use_dora`). Default false. */
  readonly useDora?: boolean;
  /** Scale by `alpha / √rank` (`use_rslora`), which keeps high ranks learning. Default false. */
  readonly useRslora?: boolean;
  /** Other ranks or alphas by the last parts of a path, or by a pattern in text (`rank_pattern`, `alpha_pattern`). */
  readonly rankPattern?: Readonly<Record<string, number>>;
  readonly alphaPattern?: Readonly<Record<string, number>>;
  /** Modules that are trained and saved whole, such as a new head, by the last parts of their paths (`modules_to_save`). */
  readonly modulesToSave?: readonly string[];
  /** Name of this set of adapters. Default `"default"`. */
  readonly adapterName?: string;
}

/** {@link LoraOptions} with every default filled in. */
export type LoraSettings = Required<Omit<LoraOptions, "adapterName">>;

const NAMES = [
  "targetModules",
  "rank",
  "alpha",
  "dropout",
  "useDora?",
  "useRslora?",
  "rankPattern",
  "alphaPattern",
  "modulesToSave",
  "adapterName",
] as const;

/** Fills in defaults. @throws InputError for unknown or wrong options. */
export function loraSettings(options: LoraOptions): LoraSettings {
  assertOptionNames("applyLora", options, NAMES);
  const { targetModules, rank = 8, alpha = 8, dropout = 0, useDora = false, useRslora = false } = options;
  const { rankPattern = {}, alphaPattern = {}, modulesToSave = [] } = options;
  assertIntegers("applyLora", { rank, ...rankPattern });
  for (const [name, value] of Object.entries({ alpha, ...alphaPattern }))
    if (!(value > 0 && Number.isFinite(value)))
      throw new InputError(`applyLora: expected ${name} above 0, got ${value}`);
  assertProbability("applyLora", "dropout", dropout);
  if (dropout === 1) throw new InputError("applyLora: expected dropout below 1, got 1");
  for (const [name, value] of Object.entries({ useDora, useRslora }))
    if (typeof value !== "boolean")
      throw new InputError(`applyLora: expected ${name} true or false, got ${String(value)}`);
  const isList = (value: unknown): boolean =>
    Array.isArray(value) && value.every((name) => typeof name === "string" && name !== "");
  if (!(targetModules instanceof RegExp) && targetModules !== "all-linear")
    if (!isList(targetModules) || targetModules.length === 0)
      throw new InputError(
        `applyLora: expected targetModules as names, a pattern or "all-linear", got ${JSON.stringify(targetModules)}; see model.namedModules()`,
      );
  if (!isList(modulesToSave))
    throw new InputError(`applyLora: expected modulesToSave as names, got ${JSON.stringify(modulesToSave)}`);
  return {
    targetModules,
    rank,
    alpha,
    dropout,
    useDora,
    useRslora,
    rankPattern: { ...rankPattern },
    alphaPattern: { ...alphaPattern },
    modulesToSave: [...modulesToSave],
  };
}

/** @throws InputError for a name that cannot be part of a path. */
export function assertAdapterName(operation: string, name: unknown): asserts name is string {
  if (typeof name !== "string" || name === "" || name.includes("."))
    throw new InputError(
      `${operation}: expected an adapterName without dots, got ${JSON.stringify(name)}; it is part of checkpoint names`,
    );
}

/** Whether `path` is `name` or ends with it after a dot. */
function endsWith(path: string, name: string): boolean {
  return path === name || path.endsWith(`.${name}`);
}

/** The value whose pattern fits the end of a path, as PEFT's `rank_pattern` says. */
export function patternValue(
  patterns: Readonly<Record<string, number>>,
  path: string,
  fallback: number,
): number {
  const key = Object.keys(patterns).find((pattern) => new RegExp(`^(?:.*\\.)?(?:${pattern})$`).test(path));
  return key === undefined ? fallback : patterns[key];
}

/** Modules whose paths end with one of `names`. @throws InputError for a name that fits none. */
export function modulesNamed(
  model: AnyModule,
  option: string,
  names: readonly string[],
): [path: string, module: AnyModule][] {
  const modules = model.namedModules().filter(([path]) => path !== "" && !isInsideAdapter(path));
  const lost = names.find((name) => !modules.some(([path]) => endsWith(path, name)));
  if (lost !== undefined)
    throw new InputError(
      `applyLora: expected ${option} to name modules of ${model.constructor.name}, got "${lost}"; it has ${modules.map(([path]) => path).join(", ")}`,
    );
  return modules.filter(([path]) => names.some((name) => endsWith(path, name)));
}

/** Whether a path leads into adapters of a layer. */
function isInsideAdapter(path: string): boolean {
  return path.split(".").includes("lora");
}

function isConv(module: AnyModule): module is AnyModule & AdaptableConv {
  return module instanceof Conv1d || module instanceof Conv2d || module instanceof Conv3d;
}

function isLinear(module: AnyModule): boolean {
  return module instanceof Linear || module instanceof QuantizedLinear;
}

/** Whether a layer is of a kind that LoRA knows. */
function isAdaptable(module: AnyModule): boolean {
  return isLinear(module) || module instanceof Embedding || isConv(module);
}

/**
 * The layers to adapt, by path; those inside `modulesToSave` are trained whole.
 * @throws InputError for names that fit nothing, layers of other kinds, or convolutions that PEFT's adapters cannot follow.
 */
export function adaptedLayers(
  model: AnyModule,
  { targetModules: targets, modulesToSave }: LoraSettings,
): [path: string, layer: AdaptableLayer][] {
  const whole = new Set(
    modulesNamed(model, "modulesToSave", modulesToSave).flatMap(([, module]) =>
      module.namedModules().map(([, part]) => part),
    ),
  );
  const adapted = [...whole].find((module) => "lora" in module);
  if (adapted !== undefined)
    throw new InputError(
      `applyLora: expected modulesToSave without adapters, got a ${adapted.constructor.name} with some; take them away with removeLora`,
    );
  const isList = Array.isArray(targets);
  const all = model
    .namedModules()
    .filter(([path, module]) => !isInsideAdapter(path) && (isList || !whole.has(module)));
  const picked = isList
    ? modulesNamed(model, "targetModules", targets as readonly string[])
    : all.filter(([path, module]) =>
        targets instanceof RegExp
          ? isAdaptable(module) && new RegExp(`^(?:${targets.source})$`, targets.flags).test(path)
          : isLinear(module),
      );
  if (picked.length === 0)
    throw new InputError(
      `applyLora: expected targetModules to fit layers of ${model.constructor.name}, got ${String(targets)} that fits none; it has ${all.map(([path]) => path).join(", ")}`,
    );
  for (const [path, module] of picked) {
    if (whole.has(module))
      throw new InputError(
        `applyLora: expected layers in targetModules or modulesToSave, got ${path} in both; name it once`,
      );
    if (!isAdaptable(module))
      throw new InputError(
        `applyLora: expected Linear, Conv1d, Conv2d, Conv3d or Embedding to adapt, got ${module.constructor.name} at ${path}; name the layers inside it`,
      );
    if (
      isConv(module) &&
      (module.groups !== 1 || module.dilation.some((step) => step !== 1) || module.paddingMode !== "zeros")
    )
      throw new InputError(
        `applyLora: expected a convolution without groups, dilation and padding other than zeros, got one at ${path}; leave it out`,
      );
  }
  return picked as unknown as [string, AdaptableLayer][];
}
