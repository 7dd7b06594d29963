import { InputError } from "@ai/tensor";
import { type Command, Option } from "commander";
import type { PictureFormat, PictureSplit } from "../datasets/open-picture-splits.js";
import { evaluateImageClassifier } from "../metrics/evaluate-image-classifier.js";
import { loadImageClassifier } from "../tasks/image-classification.js";
import { CommandContext } from "./command-context.js";
import { type CommonFlags, integer, withCommonOptions } from "./common-options.js";
import { percent } from "./each-picture.js";
import { MODEL_HELP, type ModelFlags, modelOptions, withModelOptions } from "./model-options.js";
import { DATA_HELP, evaluationPart, type NamedSet, openData } from "./open-data.js";
import { formatOption } from "./train.js";

interface EvaluateFlags extends CommonFlags, ModelFlags {
  readonly format?: PictureFormat;
  readonly split?: PictureSplit;
  readonly batchSize: number;
}

/** `evaluate model data`: how often a model is right. */
export function addEvaluate(program: Command): void {
  const command = program
    .command("evaluate")
    .description("say how often a model is right on pictures whose classes or objects are known")
    .argument("<model>", MODEL_HELP)
    .argument("<data>", DATA_HELP)
    .addOption(formatOption())
    .addOption(
      new Option("--split <name>", "part of the data; test, else validation, else all when left out").choices(
        ["train", "validation", "test", "all"],
      ),
    )
    .option("--batch-size <count>", "pictures that go through the model at once", integer(1), 32);
  withCommonOptions(withModelOptions(command)).action(
    async (model: string, path: string, flags: EvaluateFlags) => {
      const context = new CommandContext(flags);
      try {
        const data = await openData(path, { format: flags.format, signal: context.signal });
        const part = evaluationPart(path, data, flags.split);
        if (data.annotations === "boxes")
          throw new InputError(`${path}: expected pictures with a class each, got boxes (${data.format})`);
        await evaluateClassifier(context, model, part, flags);
      } finally {
        context.dispose();
      }
    },
  );
}

async function evaluateClassifier(
  context: CommandContext,
  model: string,
  { name, set }: NamedSet,
  flags: EvaluateFlags,
): Promise<void> {
  const classify = await loadImageClassifier(model, {
    ...context.loadOptions,
    ...(await modelOptions(flags)),
  });
  try {
    const scores = await evaluateImageClassifier(classify, set, {
      batchSize: flags.batchSize,
      signal: context.signal,
      onProgress: context.count("evaluating"),
    });
    const { count, top1, top5, classes } = scores;
    context.result({ model, split: name, ...scores }, () =>
      [
        `${count} pictures (${name}): top-1 ${percent(top1)}, top-5 ${percent(top5)}`,
        ...classes.map((each) => `  ${percent(each.top1).padStart(7)}  ${each.label} (${each.count})`),
      ].join("\n"),
    );
  } finally {
    await classify.dispose();
  }
}
