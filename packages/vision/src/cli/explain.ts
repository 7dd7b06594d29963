import { type Command, Option } from "commander";
import { drawRelevance } from "../postprocess/draw-relevance.js";
import type { ImageExplanationMethod } from "../tasks/picture-relevance.js";
import { loadImageClassifier } from "../tasks/image-classification.js";
import { DEFAULT_CLASSIFIER } from "./classify.js";
import { CommandContext } from "./command-context.js";
import { type CommonFlags, given, integer, number, withCommonOptions } from "./common-options.js";
import { eachPicture, writeDrawing } from "./each-picture.js";
import { MODEL_HELP, type ModelFlags, modelOptions, withModelOptions } from "./model-options.js";
import { drawingPaths, expandPictures } from "./picture-paths.js";

interface ExplainFlags extends CommonFlags, ModelFlags {
  readonly model: string;
  readonly out: string;
  readonly target?: string;
  readonly method?: ImageExplanationMethod;
  readonly steps?: number;
  readonly windowSize?: number;
  readonly opacity?: number;
}

/** `explain photo.jpg --out heat.png`: which parts of a picture speak for its class. */
export function addExplain(program: Command): void {
  const command = program
    .command("explain")
    .description("draw over pictures what speaks for a class (red) and against it (blue)")
    .argument("<pictures...>", "files, folders, patterns or URLs")
    .requiredOption("--out <path>", "a PNG file for one picture, a folder for several")
    .option("--model <model>", MODEL_HELP, DEFAULT_CLASSIFIER)
    .option("--target <label>", "the class to explain; the best one when left out")
    .addOption(
      new Option("--method <name>", "how; grad-cam where the model has convolutions").choices([
        "grad-cam",
        "integrated-gradients",
        "occlusion",
      ]),
    )
    .option("--steps <count>", "of integrated-gradients: points on the path from black", integer(1))
    .option("--window-size <pixels>", "of occlusion: edge of the square that is hidden", integer(1))
    .option("--opacity <share>", "of the strongest parts, 0 to 1", number(0, 1));
  withCommonOptions(withModelOptions(command)).action(
    async (pictures: readonly string[], flags: ExplainFlags) => {
      const context = new CommandContext(flags);
      try {
        await explainPictures(context, pictures, flags);
      } finally {
        context.dispose();
      }
    },
  );
}

async function explainPictures(
  context: CommandContext,
  words: readonly string[],
  flags: ExplainFlags,
): Promise<void> {
  const { signal } = context;
  const files = await expandPictures(words);
  const paths = drawingPaths(files, flags.out);
  const { target, method, steps, windowSize, opacity } = flags;
  const classify = await loadImageClassifier(flags.model, {
    ...context.loadOptions,
    ...(await modelOptions(flags)),
  });
  try {
    await eachPicture(context, files, {
      batchSize: 1,
      work: async ([{ file, index, picture }]) => {
        const label = target ?? (await classify(picture, { topK: 1, signal }))[0].label;
        const { relevance, width, height, ...said } = await classify.explain(picture, label, {
          ...given({ method, steps, windowSize }),
          signal,
        });
        const drawn = drawRelevance(picture, { relevance, width, height }, given({ opacity }));
        await writeDrawing(paths[index], drawn);
        return [{ file, ...said, out: paths[index] }];
      },
      text: ({ file, label, method: used, out }) => `${file}: ${label} by ${used}, drawn in ${out}`,
    });
  } finally {
    await classify.dispose();
  }
}
