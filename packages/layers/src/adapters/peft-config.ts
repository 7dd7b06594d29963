import { WeightsError } from "@ai/tensor";
import type { LoraOptions, LoraSettings } from "./lora-options.js";

/** Settings of PEFT that change what an adapter computes, and the values that mean: not used. */
const UNUSED: Readonly<Record<string, readonly unknown[]>> = {
  alora_invocation_tokens: [null],
  arrow_config: [null],
  bias: ["none"],
  exclude_modules: [null],
  // others (PiSSA, OLoRA, LoftQ …) change the layers' own weights as well
  init_lora_weights: [true, false, "gaussian", "orthogonal", "eva"],
  kasa_config: [null],
  layer_replication: [null],
  layers_pattern: [null],
  layers_to_transform: [null],
  lora_bias: [false],
  monteclora_config: [null],
  target_parameters: [null],
  trainable_token_indices: [null],
  use_bdlora: [null],
  use_qalora: [false],
  velora_config: [null],
};

/** Settings as `adapter_config.json` has them. */
export function toPeftConfig(
  settings: LoraSettings,
  {
    paths,
    baseModel,
    taskType,
  }: {
    readonly paths: readonly string[];
    readonly baseModel: string | null;
    readonly taskType: string | null;
  },
): Record<string, unknown> {
  const { targetModules, modulesToSave } = settings;
  return {
    alpha_pattern: settings.alphaPattern,
    base_model_name_or_path: baseModel,
    bias: "none",
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: settings.alpha,
    lora_bias: false,
    lora_dropout: settings.dropout,
    modules_to_save: modulesToSave.length === 0 ? null : modulesToSave,
    peft_type: "LORA",
    r: settings.rank,
    rank_pattern: settings.rankPattern,
    revision: null,
    // PEFT takes other linear layers for "all-linear" than we: say which
    target_modules: Array.isArray(targetModules) ? targetModules : paths,
    task_type: taskType,
    use_dora: settings.useDora,
    use_rslora: settings.useRslora,
  };
}

/** @throws WeightsError for a file that is none, or settings that are not supported; names each. */
export function fromPeftConfig(text: string): LoraOptions {
  let config: Record<string, unknown>;
  try {
    config = JSON.parse(text);
  } catch (cause) {
    throw new WeightsError("loadAdapter: expected adapter_config.json as JSON, got something else", {
      cause,
    });
  }
  if (typeof config !== "object" || config === null || config.peft_type !== "LORA")
    throw new WeightsError(
      `loadAdapter: expected adapter_config.json of peft_type LORA, got ${JSON.stringify(config?.peft_type)}`,
    );
  const used = Object.entries(UNUSED).flatMap(([name, values]) =>
    config[name] === undefined || values.includes(config[name])
      ? []
      : [`${name} ${JSON.stringify(config[name])}`],
  );
  if (used.length > 0)
    throw new WeightsError(
      `loadAdapter: expected plain LoRA, DoRA or rsLoRA, got ${used.join(", ")}; these settings are not supported`,
    );
  const field = <Value>(name: string, fallback: Value): Value => (config[name] ?? fallback) as Value;
  const targets = config.target_modules;
  if (typeof targets !== "string" && !Array.isArray(targets))
    throw new WeightsError(
      `loadAdapter: expected target_modules in adapter_config.json, got ${JSON.stringify(targets)}`,
    );
  return {
    targetModules: Array.isArray(targets)
      ? (targets as string[])
      : targets === "all-linear"
        ? "all-linear"
        : new RegExp(targets),
    rank: field("r", 8),
    alpha: field("lora_alpha", 8),
    dropout: field("lora_dropout", 0),
    useDora: field("use_dora", false),
    useRslora: field("use_rslora", false),
    rankPattern: field("rank_pattern", {}),
    alphaPattern: field("alpha_pattern", {}),
    modulesToSave: field<string[] | null>("modules_to_save", null) ?? [],
  };
}
