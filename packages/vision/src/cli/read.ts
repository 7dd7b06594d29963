import type { Command } from "commander";
import { loadTextRecognizer } from "../tasks/text-recognition.js";
import { type CommandContext, inContext } from "./command-context.js";
import { type CommonFlags, given, integer, withCommonOptions } from "./common-options.js";
import { eachPicture, percent } from "./each-picture.js";
import {
  type ModelFlags,
  modelHelp,
  modelOptions,
  withLabelOption,
  withModelOptions,
} from "./model-options.js";
import { expandPictures } from "./picture-paths.js";

interface ReadFlags extends CommonFlags, ModelFlags {
  readonly model: string;
  readonly beamSize?: number;
  readonly batchSize: number;
}

/** `read plate.jpg --model lprnet`: the line of text in pictures. */
export function addRead(program: Command): void {
  const command = program
    .command("read")
    .description("read a line of text, such as a number plate, in pictures of it")
    .argument("<pictures...>", "files, folders, patterns or URLs")
    .requiredOption("--model <model>", modelHelp("image-to-text"))
    .option("--beam-size <count>", "how many readings are followed at once; 1 when left out", integer(1))
    .option("--batch-size <count>", "pictures that go through the model at once", integer(1), 8);
  withCommonOptions(withLabelOption(withModelOptions(command))).action(inContext(readPictures));
}

async function readPictures(
  context: CommandContext,
  words: readonly string[],
  flags: ReadFlags,
): Promise<void> {
  const { signal } = context;
  const { beamSize, batchSize } = flags;
  const files = await expandPictures(words);
  const recognize = await loadTextRecognizer(flags.model, {
    ...context.loadOptions,
    ...(await modelOptions(flags)),
  });
  try {
    await eachPicture(context, files, {
      batchSize,
      async work(batch) {
        const answers = await recognize(
          batch.map(({ picture }) => picture),
          { ...given({ beamSize }), batchSize, signal },
        );
        return batch.map(({ file }, at) => ({ file, ...answers[at] }));
      },
      text: ({ file, text, score }) => `${file}: ${text} (${percent(score as number)})`,
    });
  } finally {
    await recognize.dispose();
  }
}
