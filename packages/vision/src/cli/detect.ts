import { type Command, Option } from "commander";
import { drawBoxes } from "../postprocess/draw-boxes.js";
import { type Detection, type DetectObjectsOptions, loadObjectDetector } from "../tasks/object-detection.js";
import { type CommandContext, inContext } from "./command-context.js";
import { type CommonFlags, given, integer, number, withCommonOptions } from "./common-options.js";
import { eachPicture, percent, writeDrawing } from "./each-picture.js";
import {
  type ModelFlags,
  modelHelp,
  modelOptions,
  withLabelOption,
  withModelOptions,
} from "./model-options.js";
import { drawingPaths, expandPictures } from "./picture-paths.js";

/** What objects are found with unless the user says otherwise: COCO's 91 classes, 160 MB. */
export const DEFAULT_DETECTOR = "facebook/detr-resnet-50";

interface DetectFlags extends CommonFlags, ModelFlags {
  readonly model: string;
  readonly out?: string;
  readonly threshold?: number;
  readonly suppression?: DetectObjectsOptions["suppression"];
  readonly iouThreshold?: number;
  readonly maxDetections?: number;
  readonly classes?: readonly string[];
  readonly batchSize: number;
}

/** `detect photo.jpg --out boxes.png`: where objects are in pictures. */
export function addDetect(program: Command): void {
  const command = program
    .command("detect")
    .description("find objects in pictures")
    .argument("<pictures...>", "files, folders, patterns or URLs")
    .option("--out <path>", "draw the boxes: a PNG file for one picture, a folder for several")
    .option("--model <model>", modelHelp("object-detection"), DEFAULT_DETECTOR)
    .option("--threshold <score>", "leave out objects with a lower score", number(0, 1))
    .addOption(
      new Option("--suppression <name>", "what happens to a box that overlaps a better one").choices([
        "hard",
        "linear",
        "gaussian",
        "none",
      ]),
    )
    .option("--iou-threshold <share>", "how much two boxes must share to overlap", number(0, 1))
    .option("--max-detections <count>", "how many objects a picture, the best ones", integer(1))
    .option("--classes <names...>", "only objects of these classes")
    .option("--batch-size <count>", "pictures that go through the model at once", integer(1), 4);
  withCommonOptions(withLabelOption(withModelOptions(command))).action(inContext(detectInPictures));
}

async function detectInPictures(
  context: CommandContext,
  words: readonly string[],
  flags: DetectFlags,
): Promise<void> {
  const { signal } = context;
  const files = await expandPictures(words);
  const { threshold, suppression, iouThreshold, maxDetections, classes, batchSize, out } = flags;
  const paths = out === undefined ? undefined : await drawingPaths(files, out);
  const detect = await loadObjectDetector(flags.model, {
    ...context.loadOptions,
    ...(await modelOptions(flags)),
  });
  try {
    await eachPicture(context, files, {
      batchSize,
      async work(batch) {
        const options = given({ threshold, suppression, iouThreshold, maxDetections, classes });
        const answers = await detect(
          batch.map(({ picture }) => picture),
          { ...options, batchSize, signal },
        );
        if (paths !== undefined)
          for (const [at, { picture, index }] of batch.entries())
            await writeDrawing(paths[index], drawBoxes(picture, answers[at]));
        return batch.map(({ file, index, picture: { width, height } }, at) => ({
          file,
          width,
          height,
          objects: answers[at],
          ...given({ out: paths?.[index] }),
        }));
      },
      text: ({ file, objects, out: drawn }) =>
        [
          `${file}${drawn === undefined ? "" : `, drawn in ${drawn}`}`,
          ...(objects as readonly Detection[]).map(
            ({ label, score, box }) =>
              `  ${percent(score).padStart(7)}  ${label}  [${box.map(Math.round).join(", ")}]`,
          ),
        ].join("\n"),
    });
  } finally {
    await detect.dispose();
  }
}
