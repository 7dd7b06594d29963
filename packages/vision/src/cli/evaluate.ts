import { type Command, Option } from "commander";
import type { PictureFormat, PictureSplit } from "../datasets/open-picture-splits.js";
import type { CocoMetrics } from "../metrics/coco-metrics.js";
import { evaluateImageClassifier } from "../metrics/evaluate-image-classifier.js";
import { evaluateObjectDetector } from "../metrics/evaluate-object-detector.js";
import { loadImageClassifier } from "../tasks/image-classification.js";
import { loadObjectDetector } from "../tasks/object-detection.js";
import { CommandContext } from "./command-context.js";
import { type CommonFlags, given, integer, withCommonOptions } from "./common-options.js";
import { percent } from "./each-picture.js";
import {
  type ModelFlags,
  modelHelp,
  modelOptions,
  withLabelOption,
  withModelOptions,
} from "./model-options.js";
import { DATA_HELP, evaluationPart, type NamedSet, openData } from "./open-data.js";
import { formatOption } from "./train.js";

interface EvaluateFlags extends CommonFlags, ModelFlags {
  readonly format?: PictureFormat;
  readonly split?: PictureSplit;
  readonly batchSize?: number;
}

/** `evaluate model data`: how often a model is right. */
export function addEvaluate(program: Command): void {
  const command = program
    .command("evaluate")
    .description("say how often a model is right on pictures whose classes or objects are known")
    .argument("<model>", modelHelp("image-classification", "object-detection"))
    .argument("<data>", DATA_HELP)
    .addOption(formatOption())
    .addOption(
      new Option("--split <name>", "part of the data; test, else validation, else all when left out").choices(
        ["train", "validation", "test", "all"],
      ),
    )
    .option("--batch-size <count>", "pictures that go through the model at once", integer(1));
  withCommonOptions(withLabelOption(withModelOptions(command))).action(
    async (model: string, path: string, flags: EvaluateFlags) => {
      const context = new CommandContext(flags);
      try {
        const data = await openData(path, { format: flags.format, signal: context.signal });
        const part = evaluationPart(path, data, flags.split);
        const evaluate = data.annotations === "classes" ? evaluateClassifier : evaluateDetector;
        await evaluate(context, { model, part, flags });
      } finally {
        context.dispose();
      }
    },
  );
}

interface Evaluation {
  readonly model: string;
  readonly part: NamedSet;
  readonly flags: EvaluateFlags;
}

async function evaluateClassifier(
  context: CommandContext,
  { model, part: { name, set }, flags }: Evaluation,
): Promise<void> {
  const classify = await loadImageClassifier(model, {
    ...context.loadOptions,
    ...(await modelOptions(flags)),
  });
  try {
    const scores = await evaluateImageClassifier(classify, set, {
      ...given({ batchSize: flags.batchSize }),
      signal: context.signal,
      onProgress: context.count("evaluating"),
    });
    const { count, top1, top5, classes } = scores;
    const hasFive = classify.info.labels.length > 5;
    context.result({ model, split: name, ...scores }, () =>
      [
        `${count} pictures (${name}): top-1 ${percent(top1)}${hasFive ? `, top-5 ${percent(top5)}` : ""}`,
        ...classes.map((each) => `  ${percent(each.top1).padStart(7)}  ${each.label} (${each.count})`),
      ].join("\n"),
    );
  } finally {
    await classify.dispose();
  }
}

/** COCO's twelve numbers as they are usually written. */
const COCO_ROWS: readonly (readonly [string, Exclude<keyof CocoMetrics, "classes">])[] = [
  ["AP", "averagePrecision"],
  ["AP50", "averagePrecision50"],
  ["AP75", "averagePrecision75"],
  ["AP small", "averagePrecisionSmall"],
  ["AP medium", "averagePrecisionMedium"],
  ["AP large", "averagePrecisionLarge"],
  ["AR, 1 a picture", "averageRecall1"],
  ["AR, 10 a picture", "averageRecall10"],
  ["AR, 100 a picture", "averageRecall100"],
  ["AR small", "averageRecallSmall"],
  ["AR medium", "averageRecallMedium"],
  ["AR large", "averageRecallLarge"],
];

async function evaluateDetector(
  context: CommandContext,
  { model, part: { name, set }, flags }: Evaluation,
): Promise<void> {
  const detect = await loadObjectDetector(model, { ...context.loadOptions, ...(await modelOptions(flags)) });
  try {
    const metrics = await evaluateObjectDetector(detect, set, {
      ...given({ batchSize: flags.batchSize }),
      signal: context.signal,
      onProgress: context.count("evaluating"),
    });
    const classes = metrics.classes.map(({ label, ...scores }) => ({ label: set.classes[label], ...scores }));
    const count = set.length;
    context.result({ model, split: name, count, ...metrics, classes }, () =>
      [
        `${count} pictures (${name})`,
        // −1 where there is nothing to measure
        ...COCO_ROWS.map(([title, field]) => {
          const value = metrics[field] < 0 ? "–" : metrics[field].toFixed(3);
          return `  ${title.padEnd(18)} ${value}`;
        }),
        ...classes.map((each) => `  AP50 ${each.averagePrecision50.toFixed(3)}  ${each.label}`),
      ].join("\n"),
    );
  } finally {
    await detect.dispose();
  }
}
