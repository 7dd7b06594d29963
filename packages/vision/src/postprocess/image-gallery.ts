import { SimilarityIndex } from "@ai/layers/tasks";
import { InputError, WeightsError, type WeightsSource } from "@ai/tensor";
import { breathing } from "./breathing.js";

/** How a picture is compared with the examples of a label. */
export interface CompareOptions {
  /** `nearest`: mean similarity of the most similar examples; `prototype`: similarity to the mean of all of them. */
  readonly method: "nearest" | "prototype";
  /** Of `nearest`: how many examples of a label count, fewer where it has fewer. */
  readonly neighbors: number;
}

/** A label that a picture may have. */
export interface LabelCandidate {
  readonly label: string;
  /** Similarity, in [−1, 1]. */
  readonly score: number;
  /** The example of this label that is most similar. */
  readonly nearest: number;
}

/** What {@link ImageGallery.calibrate} measured. */
export interface GalleryCalibration {
  /** Similarity from which on a picture is taken for known. */
  readonly threshold: number;
  /** Share of the examples that the others recognise. */
  readonly accuracy: number;
  /** Share of the examples that are similar enough to the others of their label. */
  readonly accepted: number;
  /** Share of the examples that would be unknown if their label were not there. */
  readonly refused: number;
}

/** A threshold and the comparison that it is for. */
export interface CalibratedThreshold extends CompareOptions {
  readonly threshold: number;
}

/** Which model made the embeddings: its name, and what it gives for a picture that is always the same. */
export interface GalleryModel {
  readonly architecture: string;
  readonly probe: readonly number[];
}

interface Example {
  readonly label: string;
}

const KIND = "image-gallery";
/** Devices round differently; another model is not even near. */
const SAME_PROBE = 0.9999;
/** Examples that a calibration looks at, at most and in any case: each is compared with all. */
const CALIBRATED = { most: 2000, least: 100 };
/** Comparisons of two examples in a calibration, beyond the least: 2·10⁷ take seconds. */
const COMPARISONS = 2e7;

/** Embedded examples of labels, and which of the labels an embedding is most like. */
export class ImageGallery {
  readonly #model: GalleryModel;
  #index: SimilarityIndex<Example>;
  #byLabel = new Map<string, Set<number>>();
  #sums: Map<string, Float64Array> | undefined;
  #calibrated: CalibratedThreshold | null = null;

  constructor(model: GalleryModel) {
    this.#model = model;
    this.#index = new SimilarityIndex({ dim: model.probe.length });
  }

  /** What {@link calibrate} found; null before, and once the last example is gone. */
  get calibrated(): CalibratedThreshold | null {
    return this.#calibrated;
  }

  /** Number of examples. */
  get size(): number {
    return this.#index.size;
  }

  /** An example: its label and its embedding `[dim]`, of length 1; undefined where there is none. */
  example(id: number): { readonly label: string; readonly vector: Float32Array } | undefined {
    const found = this.#index.get(id);
    return found && { label: found.payload.label, vector: found.vector };
  }

  /** @param vector `[dim]` @returns the example's number. */
  add(label: string, vector: ArrayLike<number>): number {
    const id = this.#index.add(vector, { label });
    this.#register(id, label);
    this.#sums = undefined;
    return id;
  }

  /** @returns how many examples it had. */
  removeLabel(label: string): number {
    return this.removeExamples([...(this.#byLabel.get(label) ?? [])]);
  }

  /** @returns how many of them there were. */
  removeExamples(ids: readonly number[]): number {
    let removed = 0;
    for (const id of ids) {
      const label = this.#index.get(id)?.payload.label;
      if (label === undefined) continue;
      this.#index.remove(id);
      const others = this.#byLabel.get(label)!;
      others.delete(id);
      if (others.size === 0) this.#byLabel.delete(label);
      removed++;
    }
    this.#sums = undefined;
    if (this.size === 0) this.#calibrated = null;
    return removed;
  }

  /** The labels with their numbers of examples, in the order of adding. */
  labels(): { label: string; count: number }[] {
    return [...this.#byLabel].map(([label, { size }]) => ({ label, count: size }));
  }

  /** Every label with its similarity to an embedding `[dim]`, the best first. @param except An example that does not count. */
  rank(vector: ArrayLike<number>, { method, neighbors }: CompareOptions, except = -1): LabelCandidate[] {
    if (this.size === 0) return [];
    const near = new Map<string, { readonly nearest: number; readonly scores: number[] }>();
    const found = this.#index.search(vector, { topK: this.size, filter: (_, id) => id !== except });
    for (const { id, score, payload } of found) {
      const of = near.get(payload.label);
      if (of === undefined) near.set(payload.label, { nearest: id, scores: [score] });
      else if (of.scores.length < neighbors) of.scores.push(score);
    }
    return [...near]
      .map(([label, { nearest, scores }]) => ({
        label,
        score:
          method === "nearest"
            ? scores.reduce((sum, score) => sum + score, 0) / scores.length
            : this.#prototypeScore(label, vector, except),
        nearest,
      }))
      .sort((a, b) => b.score - a.score || a.nearest - b.nearest);
  }

  /**
   * Chooses the similarity that best tells examples of a label from those of others: each example is compared with all
   * the others, once with its label and once as if that were not there; in a large gallery a part of them, evenly taken.
   * @throws InputError for fewer than two labels or without a label of two examples, the signal's reason.
   */
  async calibrate(
    options: CompareOptions,
    { signal, onStep }: { readonly signal: AbortSignal; onStep(done: number, total: number): void },
  ): Promise<GalleryCalibration> {
    const counts = [...this.#byLabel.values()].map(({ size }) => size);
    if (counts.length < 2 || Math.max(...counts) < 2)
      throw new InputError(
        `calibrate: expected two labels, one of them with two examples, got ${
          this.labels()
            .map(({ label, count }) => `${label} (${count})`)
            .join(", ") || "none"
        }; add more examples`,
      );
    const { most, least } = CALIBRATED;
    const limit = Math.max(least, Math.min(most, Math.floor(COMPARISONS / this.size)));
    const all = this.#index.entries();
    // the only example of its label tells less: where not all are looked at, it is left out
    const entries =
      all.length <= limit ? all : all.filter(([, { label }]) => this.#byLabel.get(label)!.size > 1);
    const step = Math.max(1, entries.length / limit);
    const total = Math.ceil(entries.length / step);
    const breathe = breathing(signal);
    const known: number[] = [];
    const unknown: number[] = [];
    let right = 0;
    for (let at = 0; at < entries.length; at += step) {
      const [id, { label }] = entries[Math.floor(at)];
      const ranked = this.rank(this.#index.get(id)!.vector, options, id);
      const own = ranked.find((candidate) => candidate.label === label);
      const other = ranked.find((candidate) => candidate.label !== label);
      unknown.push(other!.score);
      // the only example of its label says nothing about it
      if (own !== undefined) {
        known.push(own.score);
        if (ranked[0] === own) right++;
      }
      if (await breathe()) onStep(unknown.length, total);
    }
    onStep(total, total);
    signal.throwIfAborted();
    const { threshold, accepted, refused } = bestThreshold(known, unknown);
    this.#calibrated = { ...options, threshold };
    return { threshold, accuracy: right / known.length, accepted, refused };
  }

  /** The bytes of a file that {@link ImageGallery.open} opens: a saved `SimilarityIndex` with `{ label }` as payloads. */
  toBytes(signal: AbortSignal): Promise<Uint8Array> {
    this.#describe();
    return this.#index.toBytes({ signal });
  }

  /** Saves them to a file (Node). */
  save(path: string, signal: AbortSignal): Promise<void> {
    this.#describe();
    return this.#index.save(path, { signal });
  }

  /** Opens a saved gallery of the same model. @throws WeightsError for another file, or one of another model. */
  static async open(source: WeightsSource, model: GalleryModel, signal: AbortSignal): Promise<ImageGallery> {
    const index = await SimilarityIndex.load<Example>(source, { signal });
    const { architecture, probe, calibrated } = readAbout(index.about);
    if (index.entries().some(([, example]) => typeof example?.label !== "string" || example.label === ""))
      throw notAGallery("a label for each example", "one without");
    const isSame = probe.length === model.probe.length && cosine(probe, model.probe) >= SAME_PROBE;
    if (!isSame)
      throw new WeightsError(
        `image gallery: expected one that was made with this model (${model.architecture}), got one of another (${architecture}); load that model, or add the pictures again`,
      );
    if (index.dim !== probe.length)
      throw notAGallery(`vectors of ${probe.length} numbers`, `some of ${index.dim}`);
    const gallery = new ImageGallery(model);
    gallery.#index = index;
    gallery.#calibrated = calibrated;
    for (const [id, { label }] of index.entries()) gallery.#register(id, label);
    return gallery;
  }

  #describe(): void {
    this.#index.about = { kind: KIND, ...this.#model, calibrated: this.#calibrated };
  }

  #register(id: number, label: string): void {
    const ids = this.#byLabel.get(label);
    if (ids === undefined) this.#byLabel.set(label, new Set([id]));
    else ids.add(id);
  }

  /** Cosine to the sum of a label's examples, without `except` where that is one of them. */
  #prototypeScore(label: string, vector: ArrayLike<number>, except: number): number {
    this.#sums ??= new Map();
    let sum = this.#sums.get(label);
    if (sum === undefined) {
      sum = new Float64Array(this.#index.dim);
      for (const id of this.#byLabel.get(label)!) addTo(sum, this.#index.get(id)!.vector, 1);
      this.#sums.set(label, sum);
    }
    if (!this.#byLabel.get(label)!.has(except)) return cosine(vector, sum);
    const without = sum.slice();
    addTo(without, this.#index.get(except)!.vector, -1);
    return cosine(vector, without);
  }
}

function notAGallery(expected: string, got: string): WeightsError {
  return new WeightsError(
    `image gallery: expected a file that a recognizer saved, with ${expected}, got ${got}`,
  );
}

/** What a file says of its gallery. @throws WeightsError for one that no recognizer saved. */
function readAbout(about: unknown): GalleryModel & { readonly calibrated: CalibratedThreshold | null } {
  const { kind, architecture, probe, calibrated } = (about ?? {}) as Readonly<Record<string, unknown>>;
  if (kind !== KIND) throw notAGallery(`kind ${KIND}`, "another index");
  if (typeof architecture !== "string") throw notAGallery("the name of its model", typeof architecture);
  if (!Array.isArray(probe) || !probe.every((value): value is number => Number.isFinite(value)))
    throw notAGallery("probe as finite numbers", JSON.stringify(probe)?.slice(0, 100));
  return { architecture, probe, calibrated: readCalibrated(calibrated) };
}

function readCalibrated(value: unknown): CalibratedThreshold | null {
  if (value === null || value === undefined) return null;
  const { method, neighbors, threshold } = value as Readonly<Record<string, unknown>>;
  const isRight =
    (method === "nearest" || method === "prototype") &&
    Number.isInteger(neighbors) &&
    (neighbors as number) >= 1 &&
    Number.isFinite(threshold);
  if (!isRight)
    throw notAGallery("calibrated as { method, neighbors, threshold }", JSON.stringify(value).slice(0, 100));
  return { method, neighbors: neighbors as number, threshold: threshold as number };
}

function addTo(sum: Float64Array, vector: ArrayLike<number>, factor: number): void {
  for (let at = 0; at < sum.length; at++) sum[at] += factor * vector[at];
}

/** 0 where one of them has no direction. */
function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [product, squaresA, squaresB] = [0, 0, 0];
  for (let at = 0; at < a.length; at++) {
    product += a[at] * b[at];
    squaresA += a[at] * a[at];
    squaresB += b[at] * b[at];
  }
  return squaresA > 0 && squaresB > 0 ? product / Math.sqrt(squaresA * squaresB) : 0;
}

/** Half-way between two scores, where the shares of known ones above and of unknown ones below have the largest sum. */
function bestThreshold(
  known: readonly number[],
  unknown: readonly number[],
): Pick<GalleryCalibration, "threshold" | "accepted" | "refused"> {
  const all = [
    ...known.map((score) => ({ score, known: 1 })),
    ...unknown.map((score) => ({ score, known: 0 })),
  ].sort((a, b) => a.score - b.score);
  let accepted = known.length;
  let refused = 0;
  let best = { threshold: all[0].score, accepted: 1, refused: 0 };
  all.forEach(({ score, known: isKnown }, at) => {
    accepted -= isKnown;
    refused += 1 - isKnown;
    const next = all[at + 1]?.score;
    if (next === undefined || next === score) return;
    const shares = { accepted: accepted / known.length, refused: refused / unknown.length };
    if (shares.accepted + shares.refused > best.accepted + best.refused)
      best = { threshold: (score + next) / 2, ...shares };
  });
  return best;
}
