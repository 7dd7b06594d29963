import type { AnyModule } from "@ai/layers";
import {
  defineTask,
  integerOption,
  labelsOf,
  loadTask,
  type Task,
  type TaskLoadOptions,
  type TaskTypes,
  type WorkContext,
} from "@ai/layers/tasks";
import {
  dispose,
  InputError,
  type ModelSource,
  narrow,
  read,
  reshape,
  softmax,
  type Tensor,
  tidy,
} from "@ai/tensor";
import type { TextRecognitionModel } from "../models/text-recognition-model.js";
import { readSymbols, type SymbolReading } from "../postprocess/read-symbols.js";
import type { ImagePreprocessor } from "../preprocess/image-preprocessor.js";
import type { Picture } from "../preprocess/picture.js";
import { boxToOriginal, type PictureTransform } from "../preprocess/picture-transform.js";
import type { PreprocessSteps } from "../preprocess/preprocessor-config.js";
import { type ImageSource, readImage } from "../preprocess/read-image.js";
import { assertFinite } from "./finite-output.js";
import { checkImageInput, imageToSendable } from "./image-input.js";
import { LABELED_MODEL_OPTIONS, type LoadLabeledModelOptions, loadLabeledModel } from "./labeled-model.js";
import { oneSizeBatches } from "./one-size-batches.js";
import {
  EXPLAIN_IMAGE_OPTIONS,
  type ExplainImageOptions,
  type ImageExplanationMethod,
  pictureRelevance,
} from "./picture-relevance.js";
import { visionWorker } from "./vision-worker.js";

/** Options of a call of a text recognizer. */
export interface RecognizeTextOptions {
  /**
   * How many readings are followed at once: 1 takes the best symbol of each position (greedy), more adds up the ways to
   * read the same text (prefix beam search). Default 1.
   */
  readonly beamSize?: number;
}

/** Options of {@link loadTextRecognizer} beside those of every task; `labels` are the symbols, the CTC blank included. */
export type LoadTextRecognizerOptions = LoadLabeledModelOptions;

/** What is known of a loaded text recognizer. */
export interface TextRecognizerInfo {
  /** The architecture's name in the registry. */
  readonly architecture: string;
  /** What it can read; the blank, which is never read, is left out. */
  readonly symbols: readonly string[];
  /** What is done to a picture before the model sees it. */
  readonly preprocessing: PreprocessSteps;
}

/** A character of a {@link RecognizedText}. */
export interface RecognizedCharacter {
  readonly text: string;
  /** Its probability where it is strongest, in (0, 1]. */
  readonly score: number;
  /** Columns of the original picture where it is strongest; the character itself may be wider. */
  readonly left: number;
  readonly right: number;
}

/** A line that was read: plain JSON. */
export interface RecognizedText {
  readonly text: string;
  /** Probability of the whole text, in [0, 1]. */
  readonly score: number;
  readonly characters: readonly RecognizedCharacter[];
}

/** Which parts of a picture speak for a character. */
export interface CharacterExplanation {
  readonly method: ImageExplanationMethod;
  readonly text: string;
  /** Its place in the text. */
  readonly index: number;
  /** Its probability where it is strongest. */
  readonly score: number;
  /** Size of the original picture. */
  readonly width: number;
  readonly height: number;
  /** `height · width` numbers, row by row: the largest magnitude is 1, negative ones speak against; 0 where the model did not look. */
  readonly relevance: Float32Array;
}

/** What a text recognizer takes and gives. */
export interface TextRecognition extends TaskTypes {
  readonly input: ImageSource;
  readonly prepared: Picture;
  readonly result: RecognizedText;
  readonly options: RecognizeTextOptions;
  readonly loadOptions: LoadTextRecognizerOptions;
  readonly info: TextRecognizerInfo;
  /** The place of a character in the text that is read without options. */
  readonly target: number;
  readonly explainOptions: ExplainImageOptions;
  readonly explanation: CharacterExplanation;
}

/** A model in the hands of the task. */
interface Reader {
  readonly model: TextRecognitionModel;
  readonly architecture: string;
  readonly preprocess: ImagePreprocessor;
  readonly labels: readonly string[];
}

/** What is read in pictures of one size, and where their pixels went. */
async function readPictures(
  { model, architecture, preprocess, labels }: Reader,
  pictures: readonly Picture[],
  { beamSize, operation }: { readonly beamSize: number; readonly operation: string },
): Promise<
  { readonly reading: SymbolReading; readonly transform: PictureTransform; readonly step: number }[]
> {
  const { scores, transforms, width } = tidy(() => {
    const { pixelValues, transforms } = preprocess(pictures);
    return { scores: model.call(pixelValues), transforms, width: pixelValues.shape[2] ?? 1 };
  });
  try {
    const values = (await read(scores)) as Float32Array; // [batch, positions, symbols]
    assertFinite(operation, values, { what: "scores", architecture });
    const [, positions, classes]: readonly number[] = scores.shape;
    const { blank } = model.parts;
    return transforms.map((transform, index) => {
      const own = values.subarray(index * positions * classes, (index + 1) * positions * classes);
      const reading = readSymbols({ values: own, classes: labels.length }, { blank, beamSize });
      return { reading, transform, step: width / positions };
    });
  } finally {
    scores.dispose();
  }
}

/** The probability of a symbol at a position. @param scores `[batch, positions, symbols]` @returns `[batch]` */
function probabilityAt(scores: Tensor, position: number, symbol: number): Tensor {
  const place = softmax(narrow(scores, { axis: 1, start: position, length: 1 })); // [batch, 1, symbols]
  return reshape(narrow(place, { axis: 2, start: symbol, length: 1 }), [-1]); // [batch]
}

async function explainCharacter(
  reader: Reader,
  { picture, target }: { readonly picture: Picture; readonly target: number },
  options: Required<ExplainImageOptions>,
  context: WorkContext,
): Promise<CharacterExplanation> {
  const { model, preprocess, labels } = reader;
  const { operation } = context;
  if (!Number.isInteger(target) || target < 0)
    throw new InputError(
      `${operation}: expected a target as the place of a character from 0, got ${JSON.stringify(target)}`,
    );
  const [{ reading }] = await readPictures(reader, [picture], { beamSize: 1, operation });
  const found = reading.symbols[target];
  if (found === undefined)
    throw new InputError(
      `${operation}: expected a target below the ${reading.symbols.length} characters that are read, got ${JSON.stringify(target)}`,
    );
  context.signal.throwIfAborted();
  const { x, transform } = tidy(() => {
    const { pixelValues, transforms } = preprocess([picture]);
    return { x: pixelValues, transform: transforms[0] };
  });
  try {
    const { method, score, relevance } = await pictureRelevance(
      {
        model: model as unknown as AnyModule,
        x,
        transform,
        target: (scores) => probabilityAt(scores as Tensor, found.position, found.symbol),
        gradCamLayer: model.parts.gradCamLayer,
        attention: undefined,
      },
      options,
      context,
    );
    const { width, height } = picture;
    return { method, text: labels[found.symbol], index: target, score, width, height, relevance };
  } finally {
    dispose(x);
  }
}

/** Text recognition, for {@link loadTextRecognizer} and the worker. */
export const textRecognition = /* @__PURE__ */ defineTask<TextRecognition>(() => ({
  task: "image-to-text",
  loader: "loadTextRecognizer",
  verb: "readText",
  loadOptions: LABELED_MODEL_OPTIONS,
  options: { beamSize: integerOption({ default: 1, minimum: 1 }) },
  explainOptions: EXPLAIN_IMAGE_OPTIONS,
  checkInput: checkImageInput,
  toSendable: imageToSendable,
  worker: visionWorker,
  async start(source, options, context) {
    const { model, architecture, config, preprocess } = await loadLabeledModel<TextRecognitionModel>(
      "image-to-text",
      { model: source, options },
      context,
    );
    try {
      if (config.id2label === undefined)
        throw new InputError(
          `${context.operation}: expected symbols as id2label in config.json, got none; pass them as the option labels`,
        );
      const count = model.numClasses;
      const labels = labelsOf(context.operation, config, { count, labels: options.labels });
      const reader: Reader = { model, architecture, preprocess, labels };
      const { steps } = preprocess;
      const symbols = labels.filter((_, index) => index !== model.parts.blank);
      return {
        info: { architecture, symbols, preprocessing: steps },
        prepare: (input, _options, { signal }) => readImage(input, { signal }),
        async run(pictures, { beamSize }, { operation, signal }) {
          const results: RecognizedText[] = [];
          for (const batch of oneSizeBatches(pictures, steps)) {
            signal.throwIfAborted();
            const readings = await readPictures(reader, batch, { beamSize, operation });
            for (const { reading, transform, step } of readings) {
              const characters = reading.symbols.map(({ symbol, score, position }): RecognizedCharacter => {
                const [left, , right] = boxToOriginal(
                  [position * step, 0, (position + 1) * step, 1],
                  transform,
                );
                return { text: labels[symbol], score, left, right };
              });
              const text = characters.map((character) => character.text).join("");
              results.push({ text, score: reading.score, characters });
            }
          }
          return results;
        },
        async explain(input, target, asked, work) {
          const picture = await readImage(input, { signal: work.signal });
          return explainCharacter(reader, { picture, target }, asked, work);
        },
        dispose: () => model.dispose(),
      };
    } catch (error) {
      model.dispose();
      throw error;
    }
  },
}));

/**
 * Loads a reader of lines of text that was trained with CTC, such as LPRNet for number plates. It reads the whole picture:
 * cut the line out first, for example by the box of an object detector.
 * @param model A Hugging Face repository id, a URL, a folder, a file of weights, chosen files, or the name of one of our
 * own models.
 * @returns a function of one picture or several (a path, URL, `Blob`, bytes, pixels, or what a page can draw), which gives
 * the text of each with its score and its characters as plain JSON; with `stream`, `explain` and `dispose`.
 * @throws InputError for a model or option that there is not, WeightsError, DownloadError, DeviceError, the signal's reason.
 * @example
 * const config = { model_type: "lprnet" };
 * const readText = await loadTextRecognizer("lprnet.pth", { config, labels: LPRNET_SYMBOLS });
 * const { text, score, characters } = await readText("plate.jpg", { beamSize: 8 });
 * console.log(text, score, characters[0].left);
 * await readText.dispose();
 */
export function loadTextRecognizer(
  model: ModelSource,
  options: TaskLoadOptions & LoadTextRecognizerOptions = {},
): Promise<Task<TextRecognition>> {
  return loadTask(textRecognition, model, options);
}
