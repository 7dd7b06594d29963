import { InputError } from "@ai/tensor";
import { type Command, Option } from "commander";
import type { PictureFormat } from "../datasets/open-picture-splits.js";
import { type ImageRecognition, loadImageRecognizer } from "../tasks/image-recognition.js";
import { teachImageRecognizer } from "../training/teach-image-recognizer.js";
import { DEFAULT_CLASSIFIER } from "./classify.js";
import { type CommandContext, inContext } from "./command-context.js";
import { type CommonFlags, given, integer, number, withCommonOptions } from "./common-options.js";
import { eachPicture, percent } from "./each-picture.js";
import { type ModelFlags, modelHelp, modelOptions, withModelOptions } from "./model-options.js";
import { DATA_HELP, openData } from "./open-data.js";
import { expandPictures, isThere } from "./picture-paths.js";
import { formatOption } from "./train.js";

interface GalleryFlags extends CommonFlags, ModelFlags {
  readonly gallery: string;
  readonly model: string;
  readonly method?: "nearest" | "prototype";
  readonly neighbors?: number;
}

interface TeachFlags extends GalleryFlags {
  readonly format?: PictureFormat;
  readonly examples?: number;
  readonly seed: number;
  readonly overwrite?: boolean;
}

interface RecognizeFlags extends GalleryFlags {
  readonly threshold?: number;
  readonly topK: number;
  readonly batchSize: number;
}

const withGalleryOptions = (command: Command): Command =>
  withCommonOptions(
    withModelOptions(
      command
        .option("--model <model>", modelHelp("image-feature-extraction"), DEFAULT_CLASSIFIER)
        .addOption(
          new Option("--method <name>", "how examples are compared").choices(["nearest", "prototype"]),
        )
        .option("--neighbors <count>", "of nearest: how many examples of a label count", integer(1)),
    ),
  );

/** `teach mugs --gallery mugs.safetensors`: a recognizer learns from a few examples. */
export function addTeach(program: Command): void {
  withGalleryOptions(
    program
      .command("teach")
      .description("teach a recognizer by a few pictures in a folder a label; nothing is trained")
      .argument("<data>", DATA_HELP)
      .requiredOption("--gallery <file>", "where to save what was taught (.safetensors)")
      .addOption(formatOption())
      .option(
        "--examples <count>",
        "teach so many of each label and test with the others; all are taught when left out",
        integer(1),
      )
      .option("--seed <number>", "which are taught follows from it", integer(0), 0)
      .option("--overwrite", "replace the gallery that is there"),
  ).action(inContext(teach));
}

/** `recognize photo.jpg --gallery mugs.safetensors`: which of the taught labels pictures show. */
export function addRecognize(program: Command): void {
  withGalleryOptions(
    program
      .command("recognize")
      .description("say which of the labels that were taught pictures show, or none")
      .argument("<pictures...>", "files, folders, patterns or URLs")
      .requiredOption("--gallery <file>", "what teach has saved")
      .option(
        "--threshold <similarity>",
        "below it a picture is unknown; what teach measured when left out",
        number(-1, 1),
      )
      .option("--top-k <count>", "how many candidates a picture, the best first", integer(1), 3)
      .option("--batch-size <count>", "pictures that go through the model at once", integer(1), 8),
  ).action(inContext(recognizePictures));
}

async function teach(context: CommandContext, path: string, flags: TeachFlags): Promise<void> {
  const { signal } = context;
  const { gallery, model, method, neighbors, seed } = flags;
  if (flags.overwrite !== true && (await isThere(gallery)))
    throw new InputError(
      `${gallery}: expected no such file yet, got one; name another, or replace it with --overwrite`,
    );
  const { splits, annotations, format } = await openData(path, { format: flags.format, signal });
  const data = splits.train ?? splits.all;
  if (annotations !== "classes" || data === undefined)
    throw new InputError(`${path}: expected pictures in a folder a label, got ${format}`);
  const { revision, ...options } = await modelOptions(flags);
  const { recognize, ...report } = await teachImageRecognizer(data, {
    from: model,
    load: { ...context.loadOptions, ...options, ...given({ revision }) },
    examples: flags.examples ?? largestClass(data.labels),
    ...given({ validation: splits.test ?? splits.validation, method, neighbors }),
    seed,
    onProgress: ({ phase, done, total }) => context.count(phase)({ done, total }),
    signal,
  });
  try {
    await recognize.save(gallery, { signal });
    const { accuracy, calibration, classes } = report;
    context.result({ gallery, model, ...report }, () =>
      [
        ...classes.map(({ label, examples, tested, right }) => {
          const score = tested === 0 ? "" : `, ${right} of ${tested} others right`;
          return `  ${label}: ${examples} examples${score}`;
        }),
        ...(accuracy === undefined
          ? []
          : [`${percent(accuracy)} right of the pictures that were not taught`]),
        calibration === undefined
          ? "not measured what is unknown: that needs two examples of a label"
          : `unknown below a similarity of ${calibration.threshold.toFixed(3)}`,
        `saved in ${gallery}`,
      ].join("\n"),
    );
  } finally {
    await recognize.dispose();
  }
}

/** How many pictures the class with most has. */
function largestClass(labels: readonly number[]): number {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Math.max(...counts.values());
}

async function recognizePictures(
  context: CommandContext,
  words: readonly string[],
  flags: RecognizeFlags,
): Promise<void> {
  const { signal } = context;
  const { gallery, model, method, neighbors, threshold, topK, batchSize } = flags;
  const files = await expandPictures(words);
  if (!(await isThere(gallery)))
    throw new InputError(`${gallery}: expected a gallery, got nothing there; make one with teach`);
  const recognize = await loadImageRecognizer(model, {
    ...context.loadOptions,
    ...(await modelOptions(flags)),
    gallery,
  });
  try {
    await eachPicture(context, files, {
      batchSize,
      async work(batch) {
        const answers = await recognize(
          batch.map(({ picture }) => picture),
          { ...given({ method, neighbors, threshold }), topK, batchSize, signal },
        );
        return batch.map(({ file }, at) => ({ file, ...answers[at] }));
      },
      text: ({ file, label, candidates }) =>
        [
          `${file}: ${label ?? "unknown"}`,
          ...(candidates as ImageRecognition["candidates"]).map(
            (each) => `  ${each.score.toFixed(3).padStart(7)}  ${each.label}`,
          ),
        ].join("\n"),
    });
  } finally {
    await recognize.dispose();
  }
}
