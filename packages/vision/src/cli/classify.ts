import { type Command, Option } from "commander";
import type { ImageClass } from "../postprocess/rank-classes.js";
import { type ClassifyImageOptions, loadImageClassifier } from "../tasks/image-classification.js";
import { type CommandContext, inContext } from "./command-context.js";
import { type CommonFlags, given, integer, number, withCommonOptions } from "./common-options.js";
import { eachPicture, percent } from "./each-picture.js";
import {
  type ModelFlags,
  modelHelp,
  modelOptions,
  withLabelOption,
  withModelOptions,
} from "./model-options.js";
import { expandPictures } from "./picture-paths.js";

/** What a picture is classified with unless the user says otherwise: ImageNet's 1000 classes, 47 MB. */
export const DEFAULT_CLASSIFIER = "microsoft/resnet-18";

interface ClassifyFlags extends CommonFlags, ModelFlags {
  readonly model: string;
  readonly topK: number;
  readonly threshold?: number;
  readonly activation?: ClassifyImageOptions["activation"];
  readonly batchSize: number;
}

/** `classify photo.jpg`: what is in pictures. */
export function addClassify(program: Command): void {
  const command = program
    .command("classify")
    .description("say what pictures show")
    .argument("<pictures...>", "files, folders, patterns or URLs")
    .option("--model <model>", modelHelp("image-classification"), DEFAULT_CLASSIFIER)
    .option("--top-k <count>", "how many classes a picture, the best first", integer(1), 5)
    .option("--threshold <score>", "leave out classes with a lower score", number(0, 1))
    .addOption(
      new Option("--activation <name>", "what makes scores of the model's numbers").choices([
        "softmax",
        "sigmoid",
      ]),
    )
    .option("--batch-size <count>", "pictures that go through the model at once", integer(1), 8);
  withCommonOptions(withLabelOption(withModelOptions(command))).action(inContext(classifyPictures));
}

async function classifyPictures(
  context: CommandContext,
  words: readonly string[],
  flags: ClassifyFlags,
): Promise<void> {
  const { signal } = context;
  const files = await expandPictures(words);
  const { topK, threshold, activation, batchSize } = flags;
  const classify = await loadImageClassifier(flags.model, {
    ...context.loadOptions,
    ...(await modelOptions(flags)),
  });
  try {
    await eachPicture(context, files, {
      batchSize,
      work: async (batch) => {
        const answers = await classify(
          batch.map(({ picture }) => picture),
          {
            topK,
            batchSize,
            signal,
            ...given({ threshold, activation }),
          },
        );
        return batch.map(({ file }, at) => ({ file, classes: answers[at] }));
      },
      text: ({ file, classes }) =>
        [
          file,
          ...(classes as readonly ImageClass[]).map(
            ({ label, score }) => `  ${percent(score).padStart(7)}  ${label}`,
          ),
        ].join("\n"),
    });
  } finally {
    await classify.dispose();
  }
}
