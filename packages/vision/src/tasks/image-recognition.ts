import {
  choiceOption,
  defineTask,
  integerOption,
  loadTask,
  numberOption,
  type OptionRule,
  parseOptions,
  type Task,
  type TaskLoadOptions,
  type TaskTypes,
} from "@ai/layers/tasks";
import { InputError, type ModelSource } from "@ai/tensor";
import type { GalleryCalibration } from "../postprocess/image-gallery.js";
import type { Picture } from "../preprocess/picture.js";
import { type ImageSource, readImage } from "../preprocess/read-image.js";
import {
  EMBEDDING_MODEL_OPTIONS,
  type EmbeddingModelInfo,
  type LoadEmbeddingModelOptions,
  loadEmbeddingModel,
} from "./embedding-model.js";
import { checkImageInput, imageToSendable, pageAddress } from "./image-input.js";
import {
  EXPLAIN_IMAGE_OPTIONS,
  type ExplainImageOptions,
  type ImageExplanationMethod,
} from "./picture-relevance.js";
import { probePicture, Recognizer } from "./recognizer.js";
import { visionWorker } from "./vision-worker.js";

/** A saved gallery: a path (Node), a URL, a `Blob` or `File`, or bytes. */
export type GallerySource = string | URL | Blob | Uint8Array | ArrayBuffer;

/** How a recognizer compares. */
export interface CompareImageOptions {
  /**
   * `nearest`: mean similarity of a label's most similar examples; `prototype`: similarity to the mean of all its examples.
   * Default what the gallery was calibrated with, else `nearest`.
   */
  readonly method?: "nearest" | "prototype" | null;
  /** Of `nearest`: how many examples of a label count at most. Default what the gallery was calibrated with, else 3. */
  readonly neighbors?: number | null;
}

/** Options of a call of an image recognizer. */
export interface RecognizeImageOptions extends CompareImageOptions {
  /**
   * Similarity that a label needs; below it the picture is unknown. Default what `calibrate` found, for its own
   * comparison; none before it was called.
   */
  readonly threshold?: number | null;
  /** How many candidates at most. Default 3. */
  readonly topK?: number;
}

/** Options of {@link loadImageRecognizer} beside those of every task. */
export interface LoadImageRecognizerOptions extends LoadEmbeddingModelOptions {
  /** A saved gallery to begin with. Default an empty one. */
  readonly gallery?: GallerySource | null;
}

/** What is known of a loaded image recognizer. */
export type ImageRecognizerInfo = EmbeddingModelInfo;

/** A label that a picture may have. */
export interface RecognitionCandidate {
  readonly label: string;
  /** Similarity, in [−1, 1]. */
  readonly score: number;
  /** Number of its most similar example, as `add` gave it. */
  readonly example: number;
}

/** What a recognizer says of a picture. */
export interface ImageRecognition {
  /** The best label; null where no label is similar enough. */
  readonly label: string | null;
  /** Its similarity, or that of the best label that was not similar enough; 0 without any example. */
  readonly score: number;
  /** The best labels, whether similar enough or not, the best first. */
  readonly candidates: RecognitionCandidate[];
}

/** Which parts of a picture make it similar to an example. */
export interface RecognitionExplanation {
  readonly method: ImageExplanationMethod;
  readonly label: string;
  /** Number of the example. */
  readonly example: number;
  /** Similarity of the two, in [−1, 1]. */
  readonly score: number;
  /** Size of the original picture. */
  readonly width: number;
  readonly height: number;
  /** `height · width` numbers, row by row: the largest magnitude is 1, negative ones speak against; 0 where the model did not look. */
  readonly relevance: Float32Array;
}

/** What an image recognizer takes and gives. */
export interface InstanceRecognition extends TaskTypes {
  readonly input: ImageSource;
  readonly prepared: Picture;
  readonly result: ImageRecognition;
  readonly options: RecognizeImageOptions;
  readonly loadOptions: LoadImageRecognizerOptions;
  readonly info: ImageRecognizerInfo;
  /** A label, for the most similar of its examples, or the number of an example. */
  readonly target: string | number;
  readonly explainOptions: ExplainImageOptions;
  readonly explanation: RecognitionExplanation;
  readonly methods: {
    /** Teaches a label by one or several pictures; gives the numbers of the new examples. */
    readonly add: {
      readonly argument: { readonly label: string; readonly pictures: ImageSource | readonly ImageSource[] };
      readonly result: number[];
    };
    /** Forgets a label, or single examples by their numbers; gives how many examples are gone. */
    readonly remove: {
      readonly argument: { readonly label: string } | { readonly examples: readonly number[] };
      readonly result: number;
    };
    /** The labels and how many examples each has, in the order of adding. */
    readonly labels: { readonly argument: undefined; readonly result: { label: string; count: number }[] };
    /**
     * Measures, example by example against all others, from which similarity on a picture is known, and uses it from then
     * on. It needs two labels, one of them with two examples.
     */
    readonly calibrate: {
      readonly argument: CompareImageOptions | undefined;
      readonly result: GalleryCalibration;
    };
    /** Puts a saved gallery in place of this one; gives its labels. */
    readonly load: { readonly argument: GallerySource; readonly result: { label: string; count: number }[] };
    /** Saves the gallery to a file (Node). */
    readonly save: { readonly argument: string; readonly result: null };
    /** The gallery as the bytes of such a file. */
    readonly toBytes: { readonly argument: undefined; readonly result: Uint8Array };
  };
}

const COMPARE_RULES = {
  method: /* @__PURE__ */ choiceOption(["nearest", "prototype"], null),
  neighbors: /* @__PURE__ */ integerOption<number | null>({ default: null, minimum: 1 }),
};

const isGallery = (value: unknown): value is GallerySource =>
  typeof value === "string" ||
  value instanceof URL ||
  value instanceof Uint8Array ||
  value instanceof ArrayBuffer ||
  (typeof Blob !== "undefined" && value instanceof Blob);

/** A gallery that means the same in a worker, where addresses are relative to another file. */
const galleryAddress = (source: GallerySource): GallerySource =>
  typeof source === "string" || source instanceof URL ? pageAddress(String(source)) : source;

/** An option that is a saved gallery. */
function galleryOption(): OptionRule<GallerySource | null> {
  return {
    default: null,
    parse(where, value) {
      if (value === null || isGallery(value)) return value;
      throw new InputError(`${where} as a path, URL, Blob or bytes, got ${typeof value}`);
    },
  };
}

function checkLabel(operation: string, label: unknown): asserts label is string {
  if (typeof label !== "string" || label === "")
    throw new InputError(
      `${operation}: expected label as a text, got ${label === "" ? "an empty one" : typeof label}`,
    );
}

/** @throws InputError for an argument of `add` that makes no sense; gives its pictures. */
function checkAdded(operation: string, argument: unknown): { label: string; pictures: ImageSource[] } {
  const { label, pictures, ...others } = (argument ?? {}) as Readonly<Record<string, unknown>>;
  checkLabel(operation, label);
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw new InputError(`${operation}: expected { label, pictures }, got ${unknown}`);
  const list: unknown[] = Array.isArray(pictures) ? pictures : [pictures];
  if (list.length === 0) throw new InputError(`${operation}: expected at least one picture, got none`);
  list.forEach((picture, index) => {
    checkImageInput(`${operation}: pictures[${index}]`, picture);
  });
  return { label, pictures: list as ImageSource[] };
}

/** Instance recognition, for {@link loadImageRecognizer} and the worker. */
export const instanceRecognition = /* @__PURE__ */ defineTask<InstanceRecognition>(() => ({
  task: "instance-recognition",
  loader: "loadImageRecognizer",
  verb: "recognize",
  loadOptions: { ...EMBEDDING_MODEL_OPTIONS, gallery: galleryOption() },
  options: {
    ...COMPARE_RULES,
    threshold: numberOption<number | null>({ default: null, minimum: -1, maximum: 1 }),
    topK: integerOption({ default: 3, minimum: 1 }),
  },
  explainOptions: EXPLAIN_IMAGE_OPTIONS,
  methods: ["add", "remove", "labels", "calibrate", "load", "save", "toBytes"],
  checkInput: checkImageInput,
  toSendable: imageToSendable,
  toSendableArgument: {
    async add(argument) {
      const { label, pictures } = checkAdded("recognize.add", argument);
      return { label, pictures: await Promise.all(pictures.map(imageToSendable)) };
    },
    load: galleryAddress,
  },
  worker: visionWorker,
  async start(source, { gallery, ...options }, context) {
    const model = await loadEmbeddingModel(source, options, context);
    try {
      const [probe] = await context.onDevice(() => model.embed([probePicture()], context));
      const recognizer = new Recognizer(model, probe);
      if (gallery !== null) await recognizer.load(gallery, context.signal);
      return {
        info: model.info,
        prepare: (input, _options, { signal }) => readImage(input, { signal }),
        run: (pictures, given, work) => recognizer.recognize(pictures, given, work),
        async explain(input, target, given, work) {
          const picture = await readImage(input, { signal: work.signal });
          return recognizer.explain({ picture, target }, given, work);
        },
        methods: {
          add(argument, work) {
            const { label, pictures } = checkAdded("recognize.add", argument);
            return recognizer.add(label, pictures, work);
          },
          remove(argument) {
            const what: { readonly label?: unknown; readonly examples?: unknown } = argument ?? {};
            if (what.examples === undefined) checkLabel("recognize.remove", what.label);
            else if (!Array.isArray(what.examples) || what.label !== undefined)
              throw new InputError(
                "recognize.remove: expected { label } or { examples } as an array of numbers, got something else",
              );
            return recognizer.remove(argument);
          },
          labels: () => recognizer.labels(),
          calibrate: (argument = {}, work) =>
            recognizer.calibrate(
              parseOptions<CompareImageOptions>("recognize.calibrate", argument, { rules: COMPARE_RULES }),
              work,
            ),
          load(from, { signal }) {
            if (!isGallery(from))
              throw new InputError(
                `recognize.load: expected a gallery as a path, URL, Blob or bytes, got ${typeof from}`,
              );
            return recognizer.load(from, signal);
          },
          async save(path, { signal }) {
            if (typeof path !== "string" || path === "")
              throw new InputError(`recognize.save: expected the path of a file, got ${typeof path}`);
            await recognizer.save(path, signal);
            return null;
          },
          toBytes: (_, { signal }) => recognizer.toBytes(signal),
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
 * Loads a recognizer that learns from a few examples of one's own (this mug, that plant, this person's handwriting): a
 * model turns pictures into vectors, and a new picture has the label whose examples are most similar. Nothing is trained,
 * so that teaching takes no longer than looking. `calibrate` finds out what is unknown.
 * @param model As {@link loadImageEmbedder} takes it.
 * @returns a function of one picture or several, which gives for each a label or null, how similar it is, and the next
 * candidates; with `add`, `remove`, `labels`, `calibrate`, `load`, `save` and `toBytes` for its gallery of examples, and
 * `explain` for what makes a picture similar to an example.
 * @throws InputError for a model or option that there is not, WeightsError (also for a gallery of another model),
 * DownloadError, DeviceError, the signal's reason.
 * @see Snell, Swersky, Zemel (2017), "Prototypical networks for few-shot learning", https://arxiv.org/abs/1703.05175
 * @example
 * const recognize = await loadImageRecognizer("microsoft/resnet-18");
 * await recognize.add({ label: "my mug", pictures: ["mug-1.jpg", "mug-2.jpg"] });
 * await recognize.add({ label: "her mug", pictures: ["hers-1.jpg", "hers-2.jpg"] });
 * await recognize.calibrate();
 * const { label, score } = await recognize("photo.jpg"); // label is null for something else
 * await recognize.save("mugs.safetensors"); // loadImageRecognizer(model, { gallery: "mugs.safetensors" })
 */
export function loadImageRecognizer(
  model: ModelSource,
  options: TaskLoadOptions & LoadImageRecognizerOptions = {},
): Promise<Task<InstanceRecognition>> {
  const { gallery } = options;
  const given = gallery === undefined || gallery === null ? {} : { gallery: galleryAddress(gallery) };
  return loadTask(instanceRecognition, model, { ...options, ...given });
}
