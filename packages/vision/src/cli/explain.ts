import { InputError } from "@ai/tensor";
import { type Command, Option } from "commander";
import { drawBoxes } from "../postprocess/draw-boxes.js";
import { drawRelevance } from "../postprocess/draw-relevance.js";
import { loadImageClassifier } from "../tasks/image-classification.js";
import { loadObjectDetector } from "../tasks/object-detection.js";
import type { ImageExplanationMethod } from "../tasks/picture-relevance.js";
import { DEFAULT_CLASSIFIER } from "./classify.js";
import { type CommandContext, inContext } from "./command-context.js";
import { type CommonFlags, given, integer, number, withCommonOptions } from "./common-options.js";
import { DEFAULT_DETECTOR } from "./detect.js";
import { type EachPicture, eachPicture, type NamedPicture, writeDrawing } from "./each-picture.js";
import {
  type ModelFlags,
  modelHelp,
  modelOptions,
  withLabelOption,
  withModelOptions,
} from "./model-options.js";
import { drawingPaths, expandPictures } from "./picture-paths.js";

const METHODS: readonly ImageExplanationMethod[] = [
  "grad-cam",
  "integrated-gradients",
  "occlusion",
  "attention-rollout",
];

interface ExplainFlags extends CommonFlags, ModelFlags {
  readonly task: "classify" | "detect";
  readonly model?: string;
  readonly out: string;
  readonly target?: string;
  readonly method?: ImageExplanationMethod;
  readonly steps?: number;
  readonly windowSize?: number;
  readonly opacity?: number;
}

/** `explain photo.jpg --out heat.png`: which parts of a picture speak for an answer. */
export function addExplain(program: Command): void {
  const command = program
    .command("explain")
    .description("draw over pictures what speaks for an answer (red) and against it (blue)")
    .argument("<pictures...>", "files, folders, patterns or URLs")
    .requiredOption("--out <path>", "a PNG file for one picture, a folder for several")
    .addOption(
      new Option("--task <name>", "what the model does").choices(["classify", "detect"]).default("classify"),
    )
    .option(
      "--model <model>",
      `${modelHelp("image-classification", "object-detection")}; ${DEFAULT_CLASSIFIER} or ${DEFAULT_DETECTOR} when left out`,
    )
    .option(
      "--target <answer>",
      "a class, or with --task detect the place of an object; the best one when left out",
    )
    .addOption(
      new Option("--method <name>", "how; grad-cam where the model has convolutions").choices(METHODS),
    )
    .option("--steps <count>", "of integrated-gradients: points on the path from black", integer(1))
    .option("--window-size <pixels>", "of occlusion: edge of the square that is hidden", integer(1))
    .option("--opacity <share>", "of the strongest parts, 0 to 1", number(0, 1));
  withCommonOptions(withLabelOption(withModelOptions(command))).action(
    inContext((context, pictures: readonly string[], flags: ExplainFlags) =>
      (flags.task === "detect" ? explainObjects : explainClasses)(context, pictures, flags),
    ),
  );
}

const methodOptions = ({ method, steps, windowSize }: ExplainFlags) => given({ method, steps, windowSize });

/** Reads pictures one by one, explains them, and draws what came of it. */
async function drawEach(
  context: CommandContext,
  files: readonly string[],
  {
    out,
    work,
  }: { readonly out: string; readonly work: (named: NamedPicture, path: string) => Promise<object> },
): Promise<void> {
  const paths = await drawingPaths(files, out);
  const each: EachPicture = {
    batchSize: 1,
    work: async ([named]) => {
      const path = paths[named.index];
      return [{ file: named.file, ...(await work(named, path)), out: path }];
    },
    text: ({ file, label, method, out: drawn }) => `${file}: ${label} by ${method}, drawn in ${drawn}`,
  };
  await eachPicture(context, files, each);
}

async function explainClasses(
  context: CommandContext,
  words: readonly string[],
  flags: ExplainFlags,
): Promise<void> {
  const { signal } = context;
  const { target, opacity, model = DEFAULT_CLASSIFIER, out } = flags;
  const files = await expandPictures(words);
  await drawingPaths(files, out); // before a model is downloaded
  const classify = await loadImageClassifier(model, {
    ...context.loadOptions,
    ...(await modelOptions(flags)),
  });
  try {
    await drawEach(context, files, {
      out,
      async work({ picture }, path) {
        const label = target ?? (await classify(picture, { topK: 1, signal }))[0].label;
        const explained = await classify.explain(picture, label, { ...methodOptions(flags), signal });
        const { relevance, width, height, ...said } = explained;
        await writeDrawing(path, drawRelevance(picture, { relevance, width, height }, given({ opacity })));
        return said;
      },
    });
  } finally {
    await classify.dispose();
  }
}

async function explainObjects(
  context: CommandContext,
  words: readonly string[],
  flags: ExplainFlags,
): Promise<void> {
  const { signal } = context;
  const { target = "0", opacity, model = DEFAULT_DETECTOR, out } = flags;
  if (!/^\d+$/.test(target))
    throw new InputError(
      `--target: expected the place of an object, from 0 on, got ${JSON.stringify(target)}; 0 is the object that detect finds best`,
    );
  const files = await expandPictures(words);
  await drawingPaths(files, out); // before a model is downloaded
  const detect = await loadObjectDetector(model, { ...context.loadOptions, ...(await modelOptions(flags)) });
  try {
    await drawEach(context, files, {
      out,
      async work({ picture }, path) {
        const explained = await detect.explain(picture, Number(target), { ...methodOptions(flags), signal });
        const { relevance, width, height, ...said } = explained;
        const drawn = drawRelevance(picture, { relevance, width, height }, given({ opacity }));
        await writeDrawing(path, drawBoxes(drawn, [explained]));
        return said;
      },
    });
  } finally {
    await detect.dispose();
  }
}
