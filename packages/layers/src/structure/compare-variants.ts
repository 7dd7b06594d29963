import { defaultGenerator, describeDevice, InputError, manualSeed } from "@ai/tensor";
import type { AnyModule } from "../module.js";
import { assertOptionNames } from "../training/option-names.js";
import type { TrainingStorage } from "../training/storage.js";
import type { BatchSource, TrainerOptions } from "../training/trainer-options.js";
import { RunFiles } from "./run-files.js";
import { runVariant } from "./run-variant.js";

/** A model among others. */
export interface Variant<Model extends AnyModule> {
  readonly name: string;
  /** Builds it; the default is the comparison's `base`. */
  readonly create?: () => Model | Promise<Model>;
  /** Changes what was built, for example by `replaceModules`; a promise is awaited. */
  readonly change?: (model: Model) => unknown;
}

/** How a variant is trained: made anew for each run, so that every run starts alike. */
export interface VariantTraining<Batch, Model extends AnyModule> {
  /** In an order that follows from the seed alone. */
  readonly data: BatchSource<Batch>;
  /** Measured after each epoch and at the end. */
  readonly validation?: BatchSource<Batch>;
  /** What a `Trainer` takes beside the model; the optimizer is disposed of at the end. */
  readonly trainer: Omit<TrainerOptions<Batch, Model>, "model">;
}

/** What {@link CompareVariantsOptions.onProgress} gets. */
export interface VariantProgress {
  readonly variant: string;
  readonly seed: number;
  /** Position of the run among all of them, from 0, and their number. */
  readonly run: number;
  readonly runs: number;
  readonly phase: "training" | "finished" | "failed" | "restored";
  /** Steps so far. */
  readonly step: number;
  /** Of the last step; undefined before one is known. */
  readonly loss: number | undefined;
}

/** Options of {@link compareVariants}. */
export interface CompareVariantsOptions<Batch, Model extends AnyModule> {
  /** Data, loss, optimizer and the rest of a run; called for each variant and seed. */
  readonly setup: (model: Model, seed: number) => VariantTraining<Batch, Model>;
  /** Builds the model of variants without `create`. */
  readonly base?: () => Model | Promise<Model>;
  /** The budget of a run: the first of these that is reached ends it. At least one is needed. */
  readonly epochs?: number;
  readonly maxSteps?: number;
  /** Seconds of training steps; evaluation does not count. */
  readonly maxSeconds?: number;
  /** One run a seed and variant. Default: the default generator's seed. */
  readonly seeds?: readonly number[];
  /** Holds a file for each finished run and checkpoints of the one in progress; a comparison that was stopped goes on there. */
  readonly folder?: string;
  /** Steps between two checkpoints in `folder`. Default 100. */
  readonly checkpointSteps?: number;
  /** Where `folder` is. Default: the file system (Node). */
  readonly storage?: TrainingStorage;
  readonly onProgress?: (progress: VariantProgress) => void;
  readonly signal?: AbortSignal;
}

/** One point of a curve. */
export interface VariantPoint {
  readonly step: number;
  /** Seconds of training steps until then. */
  readonly seconds: number;
  /** As in the trainer's history: `loss`, metrics, and the same of the validation data after `validation.`. */
  readonly values: Readonly<Record<string, number>>;
}

/** One run of a variant. */
export interface VariantRun {
  readonly seed: number;
  /** Why it ended early; undefined when it did not. */
  readonly error?: string;
  readonly steps: number;
  /** `loss` and metrics on the validation data at the end; on the training data of the last epoch where there is none. */
  readonly values: Readonly<Record<string, number>>;
  /** Of each step. */
  readonly losses: readonly number[];
  /** One point an epoch. */
  readonly curve: readonly VariantPoint[];
  /** Of the steps: loading of data included, evaluation not. */
  readonly trainSeconds: number;
  /** Of the evaluation, loss included, divided by its samples; undefined without validation data. */
  readonly secondsPerSample?: number;
  /** Most bytes of tensors that were alive behind a forward pass or an update, beyond what was there before the run. */
  readonly peakBytes: number;
}

/** A variant with its runs. */
export interface VariantResult {
  readonly name: string;
  /** Numbers in all parameters. */
  readonly parameters: number;
  /** Of the forward pass of one sample of the validation data; undefined without it. */
  readonly multiplyAddsPerSample?: number;
  readonly runs: readonly VariantRun[];
}

/** What {@link compareVariants} gives: plain data. */
export interface VariantComparison {
  readonly device: string;
  readonly threads: number;
  readonly variants: readonly VariantResult[];
}

const OPTIONS = [
  "setup",
  "base",
  "epochs",
  "maxSteps",
  "maxSeconds",
  "seeds",
  "folder",
  "checkpointSteps",
  "storage",
  "onProgress",
  "signal",
] as const;

/**
 * Trains variants of a model one after another on the same data, seeds and budget, and measures what each costs and
 * gives. A run that fails is reported with its error, and the others go on.
 *
 * Weights and dropout of a run follow from its seed: models drawn at their first use start equal where their structure is.
 * Meanwhile the default generator is the comparison's; afterwards it stands where it stood. Nothing else stays.
 * @returns plain data: `formatComparison` makes a table of it, `plotComparison` a picture.
 * @throws InputError for options or variants out of range; the reason of `signal` once aborted.
 * @example
 * const comparison = await compareVariants(
 *   [{ name: "layer norm" }, { name: "rms norm", change: (model) => replaceModules(model, isLayerNorm, toRmsNorm) }],
 *   { base: () => new Net(), epochs: 3, seeds: [1, 2], setup: (model, seed) => ({ data: loader(seed), validation, trainer: { loss, optimizer: new AdamW(model.parameters()) } }) },
 * );
 * console.log(formatComparison(comparison));
 */
export async function compareVariants<Batch, Model extends AnyModule>(
  variants: readonly Variant<Model>[],
  options: CompareVariantsOptions<Batch, Model>,
): Promise<VariantComparison> {
  assertArguments(variants, options);
  const { seeds = [defaultGenerator().seed], signal, onProgress } = options;
  const { device, threads } = describeDevice();
  const generator = defaultGenerator();
  const before = generator.state();
  const results: VariantResult[] = [];
  let position = 0;
  try {
    for (const [index, variant] of variants.entries()) {
      const runs: VariantRun[] = [];
      let size: Omit<VariantResult, "name" | "runs"> = { parameters: 0 };
      for (const seed of seeds) {
        signal?.throwIfAborted();
        const place = { variant: variant.name, seed, run: position++, runs: variants.length * seeds.length };
        const files = await RunFiles.open(options, index, seed);
        let done = await files?.result(variant.name);
        const isRestored = done !== undefined;
        if (done === undefined) {
          manualSeed(seed);
          done = await runVariant(variant, options, { seed, files, place });
          await files?.finish(variant.name, done);
        }
        const { run } = done;
        runs.push(run);
        if (run.error === undefined || size.parameters === 0) size = done.size;
        const phase = run.error !== undefined ? "failed" : isRestored ? "restored" : "finished";
        onProgress?.({ ...place, phase, step: run.steps, loss: run.losses.at(-1) });
      }
      results.push({ name: variant.name, ...size, runs });
    }
  } finally {
    generator.setState(before);
  }
  return { device, threads, variants: results };
}

function assertArguments<Batch, Model extends AnyModule>(
  variants: readonly Variant<Model>[],
  options: CompareVariantsOptions<Batch, Model>,
): void {
  assertOptionNames("compareVariants", options, OPTIONS);
  const { setup, base, seeds, epochs, maxSteps, maxSeconds, checkpointSteps, folder, storage } = options;
  if (!Array.isArray(variants) || variants.length === 0)
    throw new InputError("compareVariants: expected an array of at least one variant, got none");
  for (const variant of variants) {
    assertOptionNames("compareVariants", variant, ["name", "create", "change"]);
    if (typeof variant.name !== "string" || variant.name === "")
      throw new InputError(
        `compareVariants: expected a name for each variant, got ${JSON.stringify(variant.name)}`,
      );
    if (typeof (variant.create ?? base) !== "function")
      throw new InputError(
        `compareVariants: expected create of ${variant.name} or base, got neither; pass a function that builds the model`,
      );
  }
  const names = variants.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined)
    throw new InputError(`compareVariants: expected different names, got ${twice} twice`);
  if (typeof setup !== "function")
    throw new InputError(`compareVariants: expected a function as setup, got ${typeof setup}`);
  if (epochs === undefined && maxSteps === undefined && maxSeconds === undefined)
    throw new InputError("compareVariants: expected epochs, maxSteps or maxSeconds, got no budget");
  for (const [name, value] of Object.entries({ epochs, maxSteps, checkpointSteps }))
    if (value !== undefined && !(Number.isInteger(value) && value >= 1))
      throw new InputError(`compareVariants: expected an integer ${name} of at least 1, got ${value}`);
  if (maxSeconds !== undefined && !(typeof maxSeconds === "number" && maxSeconds > 0))
    throw new InputError(`compareVariants: expected maxSeconds above 0, got ${maxSeconds}`);
  if (seeds !== undefined && (!Array.isArray(seeds) || seeds.length === 0))
    throw new InputError("compareVariants: expected an array of at least one seed, got none");
  if (seeds?.some((seed, index) => !Number.isSafeInteger(seed) || seed < 0 || seeds.indexOf(seed) !== index))
    throw new InputError(
      `compareVariants: expected different seeds that are integers of at least 0, got ${seeds.join(", ")}`,
    );
  if (folder === undefined && (storage !== undefined || checkpointSteps !== undefined))
    throw new InputError("compareVariants: expected a folder beside storage or checkpointSteps, got none");
}
