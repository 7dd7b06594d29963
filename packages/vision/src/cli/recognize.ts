import { rm, stat } from "node:fs/promises";
import { InputError } from "@ai/tensor";
import { type Command, Option } from "commander";
import {
  type ImageRecognition,
  loadImageRecognizer,
  type RecognizeImageOptions,
} from "../tasks/image-recognition.js";
import { DEFAULT_CLASSIFIER } from "./classify.js";
import { CommandContext } from "./command-context.js";
import { type CommonFlags, given, integer, number, withCommonOptions } from "./common-options.js";
import { eachPicture, percent } from "./each-picture.js";
import { type ModelFlags, modelHelp, modelOptions, withModelOptions } from "./model-options.js";
import { openData } from "./open-data.js";
import { expandPictures } from "./picture-paths.js";

interface GalleryFlags extends CommonFlags, ModelFlags {
  readonly gallery: string;
  readonly model: string;
  readonly method?: RecognizeImageOptions["method"];
  readonly neighbors?: number;
}

interface TeachFlags extends GalleryFlags {
  readonly extend?: boolean;
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
      .argument("<data>", "a folder or .tar archive with a folder of pictures a label")
      .requiredOption("--gallery <file>", "where to save what was taught (.safetensors)")
      .option("--extend", "add to the gallery that is there")
      .option("--overwrite", "replace the gallery that is there"),
  ).action(async (path: string, flags: TeachFlags) => {
    const context = new CommandContext(flags);
    try {
      await teach(context, path, flags);
    } finally {
      context.dispose();
    }
  });
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
  ).action(async (pictures: readonly string[], flags: RecognizeFlags) => {
    const context = new CommandContext(flags);
    try {
      await recognizePictures(context, pictures, flags);
    } finally {
      context.dispose();
    }
  });
}

async function teach(context: CommandContext, path: string, flags: TeachFlags): Promise<void> {
  const { signal } = context;
  const { gallery, model, extend = false, overwrite = false, method, neighbors } = flags;
  const isThere = (await stat(gallery).catch(() => undefined)) !== undefined;
  if (isThere && !extend && !overwrite)
    throw new InputError(
      `${gallery}: expected no such file yet, got one; add to it with --extend, or use --overwrite`,
    );
  const { splits, classes, annotations, format } = await openData(path, { format: undefined, signal });
  const data = splits.train ?? splits.all;
  if (annotations !== "classes" || data === undefined)
    throw new InputError(`${path}: expected pictures in a folder a label, got ${format}`);
  const recognize = await loadImageRecognizer(model, {
    ...context.loadOptions,
    ...(await modelOptions(flags)),
    ...(isThere && extend ? { gallery } : {}),
  });
  try {
    const count = context.count("pictures");
    for (let index = 0; index < data.length; index++) {
      const { picture, label } = await data.get(index);
      await recognize.add({ label: classes[label ?? -1], pictures: picture }, { signal });
      count({ done: index + 1, total: data.length });
    }
    const labels = await recognize.labels(undefined);
    const canMeasure = labels.length > 1 && labels.some((each) => each.count > 1);
    const calibration = canMeasure
      ? await recognize.calibrate(given({ method, neighbors }), { signal })
      : undefined;
    if (overwrite) await rm(gallery, { force: true });
    await recognize.save(gallery, { signal });
    context.result({ gallery, model, labels, calibration }, () =>
      [
        ...labels.map((each) => `  ${each.label} (${each.count})`),
        calibration === undefined
          ? "not measured what is unknown: that needs two labels, one with two pictures"
          : `the others know ${percent(calibration.accuracy)} of the examples; similar from ${calibration.threshold.toFixed(3)} on`,
        `saved in ${gallery}`,
      ].join("\n"),
    );
  } finally {
    await recognize.dispose();
  }
}

async function recognizePictures(
  context: CommandContext,
  words: readonly string[],
  flags: RecognizeFlags,
): Promise<void> {
  const { signal } = context;
  const { gallery, model, method, neighbors, threshold, topK, batchSize } = flags;
  const files = await expandPictures(words);
  if ((await stat(gallery).catch(() => undefined)) === undefined)
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
