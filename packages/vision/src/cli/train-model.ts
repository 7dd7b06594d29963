import { type FitOptions, formatDuration } from "@ai/layers/training";
import { InputError, type ModelFolder } from "@ai/tensor";
import type { PictureSplits } from "../datasets/open-picture-splits.js";
import type { PictureSet } from "../training/picture-set.js";
import { CommandContext } from "./command-context.js";
import { type NamedSet, openData, trainingParts } from "./open-data.js";
import type { TrainFlags } from "./train.js";
import { commandLine, defaultOut, TrainingRun } from "./training-run.js";

/** Numbers of a test, by name. */
export type TestScores = Readonly<Record<string, number>>;

/** What every training is given. */
export interface SharedOptions {
  readonly validation?: PictureSet;
  readonly seed: number;
  // callbacks look at the run, not at its batches
  readonly callbacks: NonNullable<FitOptions<never>["callbacks"]>;
  readonly signal: AbortSignal;
  readonly resumeFrom: string;
}

/** A kind of training. */
export interface TrainingRecipe<Trained extends { dispose(): void }> {
  /** The command's name: `classify`. */
  readonly name: string;
  /** What pictures must have. */
  readonly annotations: PictureSplits["annotations"];
  /** The task's name on the hub. */
  readonly pipelineTag: string;
  /** Options that were given, which a training that goes on must have too. */
  readonly settings: Readonly<Record<string, unknown>>;
  train(data: PictureSet, options: SharedOptions): Promise<Trained>;
  test(trained: Trained, data: PictureSet, context: CommandContext): Promise<TestScores>;
  /** Scores in a line. */
  format(scores: TestScores): string;
  save(trained: Trained, folder: string, card: ModelFolder["card"], signal: AbortSignal): Promise<void>;
}

/** Trains, tests and saves a model, and shows what came of it. */
export async function trainModel<Trained extends { dispose(): void }>(
  path: string,
  flags: TrainFlags,
  recipe: TrainingRecipe<Trained>,
): Promise<void> {
  const context = new CommandContext(flags);
  let run: TrainingRun | undefined;
  try {
    const { signal } = context;
    const { format, seed, holdOut } = flags;
    const out = flags.out ?? defaultOut(path);
    const data = await openData(path, { format, signal });
    assertAnnotations(path, data, recipe);
    const { train, validation, test } = trainingParts(path, data, { holdOut, seed });
    const pictures = countsOf([train, validation, test]);
    run = await TrainingRun.start(context, {
      out,
      resume: flags.resume === true,
      overwrite: flags.overwrite === true,
      settings: {
        train: recipe.name,
        data: path,
        format: data.format,
        holdOut,
        seed,
        pictures,
        ...recipe.settings,
      },
    });
    const device = await context.useDevice();
    const said = Object.entries(pictures).map(([name, count]) => `${count} ${name}`);
    context.note(`data: ${data.format}, ${data.classes.length} classes, pictures: ${said.join(", ")}`);
    const measured = validation ?? test;
    const started = performance.now();
    const trained = await recipe.train(train.set, {
      ...(measured === undefined ? {} : { validation: measured.set }),
      seed,
      callbacks: run.callbacks(recipe.name),
      signal,
      resumeFrom: run.folder,
    });
    try {
      const seconds = (performance.now() - started) / 1000;
      const tested = test ?? validation;
      const scores = tested && (await recipe.test(trained, tested.set, context));
      const line =
        scores && tested && `${recipe.format(scores)} on ${tested.set.length} pictures (${tested.name})`;
      await recipe.save(trained, out, cardOf(recipe.pipelineTag, data, line), signal);
      await run.finish();
      context.result(
        {
          model: out,
          format: data.format,
          classes: data.classes,
          pictures,
          seconds,
          device,
          scores,
          testedOn: tested?.name,
        },
        () =>
          `${line === undefined ? "not tested: no pictures were kept for it" : line}\nsaved in ${out} after ${formatDuration(seconds)}`,
      );
    } finally {
      trained.dispose();
    }
  } catch (error) {
    throw run === undefined ? error : run.explain(error);
  } finally {
    context.dispose();
  }
}

const countsOf = (sets: readonly (NamedSet | undefined)[]): Readonly<Record<string, number>> =>
  Object.fromEntries(sets.flatMap((each) => (each === undefined ? [] : [[each.name, each.set.length]])));

/** @throws InputError for pictures with boxes where classes are learnt, or the other way round. */
function assertAnnotations(
  path: string,
  { annotations, format }: PictureSplits,
  recipe: { readonly annotations: PictureSplits["annotations"] },
): void {
  if (annotations === recipe.annotations) return;
  const [wanted, got, other] =
    annotations === "boxes" ? ["a class each", "boxes", "detect"] : ["boxes", "a class each", "classify"];
  throw new InputError(
    `${path}: expected pictures with ${wanted}, got pictures with ${got} (${format}); use train ${other}`,
  );
}

/** `README.md` of the model. */
function cardOf(
  pipelineTag: string,
  { classes }: PictureSplits,
  scores: string | undefined,
): ModelFolder["card"] {
  const lines = [
    `Classes: ${classes.join(", ")}.`,
    ...(scores === undefined ? [] : [`Score: ${scores}.`]),
    `Trained with \`${commandLine()}\`.`,
  ];
  return { pipelineTag, text: lines.join("\n\n") };
}
