import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  compareVariants,
  formatComparison,
  plotComparison,
  type VariantComparison,
} from "@ai/layers/training";
import type { LanguageModel, MixerName } from "./model.js";
import type { CharacterBatch, CharacterText } from "./text.js";
import { type LanguageModelRun, makeModel, makeTraining, validationLoader } from "./train.js";

const MIXERS: readonly { readonly name: string; readonly mixer: MixerName }[] = [
  { name: "attention", mixer: "attention" },
  { name: "linear attention", mixer: "linear-attention" },
  { name: "state space (Mamba)", mixer: "mamba" },
];

/** Options of {@link compareLanguageModels}. */
export interface CompareLanguageModelsOptions {
  /** For finished runs, checkpoints, table and picture; a comparison that was stopped goes on there. */
  readonly folder: string;
  readonly print: (text: string) => void;
  readonly signal?: AbortSignal;
}

/** Trains the run's model with three ways of mixing positions, everything else equal. */
export async function compareLanguageModels(
  run: LanguageModelRun,
  text: CharacterText,
  { folder, print, signal }: CompareLanguageModelsOptions,
): Promise<VariantComparison> {
  const comparison = await compareVariants<CharacterBatch, LanguageModel>(
    MIXERS.map(({ name, mixer }) => ({ name, create: () => makeModel({ ...run, mixer }, text) })),
    {
      maxSteps: run.steps,
      seeds: [run.seed],
      folder,
      checkpointSteps: 50,
      signal,
      setup: (model, seed) => ({
        ...makeTraining({ ...run, seed }, text, model),
        validation: validationLoader(run, text),
      }),
      onProgress: ({ variant, phase, step, loss }) => {
        if (phase !== "training" || step % 25 === 0)
          print(`${variant}: ${phase}, step ${step}, loss ${loss?.toFixed(3)}`);
      },
    },
  );
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, "comparison.json"), `${JSON.stringify(comparison)}\n`);
  await writeFile(join(folder, "comparison.md"), `${formatComparison(comparison, { format: "markdown" })}\n`);
  const title = "Attention, linear attention and a state space on the same text";
  await writeFile(join(folder, "comparison.svg"), plotComparison(comparison, { title }));
  print(`\n${formatComparison(comparison)}`);
  return comparison;
}
