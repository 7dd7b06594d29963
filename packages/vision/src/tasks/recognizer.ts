import type { WorkContext } from "@ai/layers/tasks";
import { InputError } from "@ai/tensor";
import { breathing } from "../postprocess/breathing.js";
import { type CompareOptions, type GalleryCalibration, ImageGallery } from "../postprocess/image-gallery.js";
import type { Picture } from "../preprocess/picture.js";
import { type ImageSource, readImage } from "../preprocess/read-image.js";
import type { EmbeddingModel } from "./embedding-model.js";
import type {
  CompareImageOptions,
  GallerySource,
  ImageRecognition,
  RecognitionExplanation,
  RecognizeImageOptions,
} from "./image-recognition.js";
import type { ExplainImageOptions } from "./picture-relevance.js";

/** Pictures that are read and embedded at once while teaching. */
const TEACHING_BATCH = 8;

/** A picture that is always the same: by its embedding a gallery knows its model again. */
export function probePicture(): Picture {
  const [width, height] = [48, 48];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, at) => {
    const [channel, x, y] = [at % 3, Math.floor(at / 3) % width, Math.floor(at / 3 / width)];
    return ((x >> 3) * 53 + (y >> 2) * 31 + channel * 71 + x * y) % 256;
  });
  return { data, width, height, channels: 3 };
}

/** A model, its gallery, and what is done with both. */
export class Recognizer {
  readonly #model: EmbeddingModel;
  readonly #probe: Float32Array;
  #gallery: ImageGallery;

  constructor(model: EmbeddingModel, probe: Float32Array) {
    this.#model = model;
    this.#probe = probe;
    this.#gallery = new ImageGallery(this.#galleryModel());
  }

  async recognize(
    pictures: readonly Picture[],
    options: Required<RecognizeImageOptions>,
    work: WorkContext,
  ): Promise<ImageRecognition[]> {
    const gallery = this.#gallery;
    const compare = this.#comparison(options);
    const { calibrated } = gallery;
    const isCalibrated =
      calibrated?.method === compare.method &&
      (compare.method === "prototype" || calibrated.neighbors === compare.neighbors);
    const bar = options.threshold ?? (isCalibrated ? calibrated.threshold : Number.NEGATIVE_INFINITY);
    const results: ImageRecognition[] = [];
    const breathe = breathing(work.signal);
    for (const vector of await this.#model.embed(pictures, work)) {
      const ranked = gallery.rank(vector, compare);
      const [best] = ranked;
      results.push({
        label: best !== undefined && best.score >= bar ? best.label : null,
        score: best?.score ?? 0,
        candidates: ranked
          .slice(0, options.topK)
          .map(({ label, score, nearest }) => ({ label, score, example: nearest })),
      });
      await breathe();
    }
    return results;
  }

  /** @throws InputError for a label or example that the gallery has not. */
  async explain(
    { picture, target }: { readonly picture: Picture; readonly target: string | number },
    options: Required<ExplainImageOptions>,
    work: WorkContext,
  ): Promise<RecognitionExplanation> {
    const example = typeof target === "number" ? target : await this.#nearest(picture, target, work);
    const found = example === undefined ? undefined : this.#gallery.example(example);
    if (example === undefined || found === undefined) {
      const labels = this.labels().map(({ label }) => label);
      const some = `${labels.slice(0, 10).join(", ")}${labels.length > 10 ? " …" : ""}`;
      throw new InputError(
        `${work.operation}: expected a label (${some || "the gallery is empty"}) or the number of an example, got ${JSON.stringify(target)}`,
      );
    }
    const { label, vector } = found;
    const { width, height } = picture;
    const answer = await this.#model.explainSimilarity({ picture, towards: vector }, options, work);
    return { ...answer, label, example, width, height };
  }

  /** The example of a label that a picture is most similar to; undefined for a label that there is not. */
  async #nearest(picture: Picture, label: string, work: WorkContext): Promise<number | undefined> {
    if (!this.labels().some((known) => known.label === label)) return undefined;
    const [vector] = await this.#model.embed([picture], work);
    const ranked = this.#gallery.rank(vector, { method: "nearest", neighbors: 1 });
    return ranked.find((candidate) => candidate.label === label)?.nearest;
  }

  async add(label: string, pictures: readonly ImageSource[], work: WorkContext): Promise<number[]> {
    const vectors: Float32Array[] = [];
    for (let start = 0; start < pictures.length; start += TEACHING_BATCH) {
      const batch = pictures.slice(start, start + TEACHING_BATCH);
      const read = await Promise.all(batch.map((picture) => readImage(picture, { signal: work.signal })));
      vectors.push(...(await this.#model.embed(read, work)));
      work.signal.throwIfAborted();
      work.progress(vectors.length, pictures.length);
    }
    return vectors.map((vector) => this.#gallery.add(label, vector));
  }

  remove(what: { readonly label?: string; readonly examples?: readonly number[] }): number {
    return what.label === undefined
      ? this.#gallery.removeExamples(what.examples ?? [])
      : this.#gallery.removeLabel(what.label);
  }

  labels(): { label: string; count: number }[] {
    return this.#gallery.labels();
  }

  calibrate(options: CompareImageOptions, { signal, progress }: WorkContext): Promise<GalleryCalibration> {
    const compare = this.#comparison({ method: null, neighbors: null, ...options });
    return this.#gallery.calibrate(compare, { signal, onStep: progress });
  }

  async load(source: GallerySource, signal: AbortSignal): Promise<{ label: string; count: number }[]> {
    this.#gallery = await ImageGallery.open(source, this.#galleryModel(), signal);
    return this.labels();
  }

  save(path: string, signal: AbortSignal): Promise<void> {
    return this.#gallery.save(path, signal);
  }

  toBytes(signal: AbortSignal): Promise<Uint8Array> {
    return this.#gallery.toBytes(signal);
  }

  #galleryModel(): { architecture: string; probe: number[] } {
    return { architecture: this.#model.info.architecture, probe: Array.from(this.#probe) };
  }

  #comparison({ method, neighbors }: Required<CompareImageOptions>): CompareOptions {
    const { calibrated } = this.#gallery;
    return {
      method: method ?? calibrated?.method ?? "nearest",
      neighbors: neighbors ?? calibrated?.neighbors ?? 3,
    };
  }
}
