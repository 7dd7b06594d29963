import {
  type HostEntry,
  InputError,
  readSafetensors,
  type SafetensorsFile,
  saveSafetensors,
  WeightsError,
  type WeightsSource,
  writeSafetensors,
} from "@ai/tensor";
import { integerOption, numberOption, parseOptions } from "./option-rules.js";

/** What {@link SimilarityIndex.search} found. */
export interface SimilarNeighbor<Payload> {
  /** The number that `add` gave. */
  readonly id: number;
  readonly payload: Payload;
  /** Cosine of the angle between the two vectors, in [−1, 1]. */
  readonly score: number;
}

/** Options of {@link SimilarityIndex.search}. */
export interface SimilaritySearchOptions<Payload> {
  /** How many at most. Default 10. */
  readonly topK?: number;
  /** Leaves out lower scores. Default −1, which leaves out none. */
  readonly threshold?: number;
  /** Leaves out entries for which it is not true. */
  readonly filter?: (payload: Payload, id: number) => boolean;
}

const FORMAT = "ai-similarity-index";
const FIRST_CAPACITY = 16;
/** How far the square of a stored length may be from 1: float32 rounds. */
const UNIT_TOLERANCE = 1e-3;
const SEARCH_RULES = {
  topK: /* @__PURE__ */ integerOption({ default: 10, minimum: 1 }),
  threshold: /* @__PURE__ */ numberOption({ default: -1, minimum: -1, maximum: 1 }),
};

/**
 * Vectors with something that is known of each, found again by similarity: the cosine `a · b / (‖a‖ ‖b‖)` with every one
 * of them, so that the nearest are the nearest. 100,000 vectors of 512 numbers take 200 MB and less than a tenth of a
 * second. It needs no device and no `dispose`. A vector of zeros is similar to nothing: its cosine is 0.
 * @typeParam Payload Plain JSON: what `JSON.parse` gives back when the index is saved.
 * @example
 * const index = new SimilarityIndex<{ path: string }>({ dim: 512 });
 * const id = index.add(vector, { path: "cat.jpg" });
 * const [{ payload, score }] = index.search(other, { topK: 1 });
 * await index.save("pictures.safetensors"); // or toBytes() in a page
 * const again = await SimilarityIndex.load<{ path: string }>("pictures.safetensors");
 */
export class SimilarityIndex<Payload = unknown> {
  /** Numbers of a vector. */
  readonly dim: number;
  /** Plain JSON about the whole, saved with it, such as the model that made the vectors. Null unless set. */
  about: unknown = null;
  /** Unit vectors side by side; those of removed entries are overwritten by the last. */
  #vectors: Float32Array;
  #ids: number[] = [];
  #payloads: Payload[] = [];
  readonly #slots = new Map<number, number>();
  #nextId = 0;

  /** @throws InputError for a `dim` that is no whole number of at least 1. */
  constructor(options: { readonly dim: number }) {
    const { dim } = parseOptions<{ readonly dim: number }>("SimilarityIndex", options, {
      rules: { dim: integerOption({ default: 0, minimum: 1 }) },
    });
    if (dim === 0) throw new InputError("SimilarityIndex: expected dim, got none; say how long vectors are");
    this.dim = dim;
    this.#vectors = new Float32Array(FIRST_CAPACITY * dim);
  }

  /** How many vectors there are. */
  get size(): number {
    return this.#ids.length;
  }

  /**
   * Adds a vector; its length is made 1.
   * @param vector `[dim]` finite numbers; copied.
   * @param payload Plain JSON that is found with it; not copied.
   * @returns a number for `get` and `remove`, which no other entry of this index ever has.
   * @throws InputError for another length, numbers that are not finite, or what is no JSON.
   */
  add(vector: ArrayLike<number>, payload: Payload): number {
    const unit = this.#unit("add", vector);
    assertJson("add", payload);
    const slot = this.size;
    if ((slot + 1) * this.dim > this.#vectors.length) {
      const larger = new Float32Array(2 * this.#vectors.length);
      larger.set(this.#vectors);
      this.#vectors = larger;
    }
    this.#vectors.set(unit, slot * this.dim);
    const id = this.#nextId++;
    this.#ids.push(id);
    this.#payloads.push(payload);
    this.#slots.set(id, slot);
    return id;
  }

  /** An entry, its vector `[dim]` with length 1; undefined where there is none. */
  get(id: number): { readonly vector: Float32Array; readonly payload: Payload } | undefined {
    const slot = this.#slots.get(id);
    if (slot === undefined) return undefined;
    return { vector: this.#vector(slot).slice(), payload: this.#payloads[slot] };
  }

  /** Removes an entry. @returns whether there was one. */
  remove(id: number): boolean {
    const slot = this.#slots.get(id);
    if (slot === undefined) return false;
    const last = this.size - 1;
    this.#vectors.copyWithin(slot * this.dim, last * this.dim, (last + 1) * this.dim);
    this.#ids[slot] = this.#ids[last];
    this.#payloads[slot] = this.#payloads[last];
    this.#slots.set(this.#ids[slot], slot);
    this.#slots.delete(id);
    this.#ids.pop();
    this.#payloads.pop();
    return true;
  }

  /** Every entry as `[id, payload]`, in the order of adding. */
  entries(): [id: number, payload: Payload][] {
    return this.#ids
      .map((id, slot): [number, Payload] => [id, this.#payloads[slot]])
      .sort(([a], [b]) => a - b);
  }

  /**
   * The entries that are most similar, the best first; of equal ones the first added first.
   * @param vector `[dim]`
   * @throws InputError for another length, numbers that are not finite, or an option that makes no sense.
   */
  search(
    vector: ArrayLike<number>,
    options: SimilaritySearchOptions<Payload> = {},
  ): SimilarNeighbor<Payload>[] {
    const { topK, threshold } = parseOptions<Pick<SimilaritySearchOptions<Payload>, "topK" | "threshold">>(
      "SimilarityIndex.search",
      options,
      { rules: SEARCH_RULES, common: ["filter"] },
    );
    const { filter } = options;
    if (filter !== undefined && typeof filter !== "function")
      throw new InputError(
        `SimilarityIndex.search: expected filter as a function of payload and id, got ${typeof filter}`,
      );
    const scores = this.#scores(this.#unit("search", vector));
    const better = (a: number, b: number): number => scores[b] - scores[a] || this.#ids[a] - this.#ids[b];
    let best: number[] = [];
    let bar = threshold;
    for (let slot = 0; slot < scores.length; slot++) {
      if (scores[slot] < bar) continue;
      if (filter !== undefined && !filter(this.#payloads[slot], this.#ids[slot])) continue;
      best.push(slot);
      // now and then all but the best so far are dropped: what follows must be as good as the last of them
      if (best.length < 2 * topK + 64) continue;
      best = best.sort(better).slice(0, topK);
      bar = scores[best[topK - 1]];
    }
    return best
      .sort(better)
      .slice(0, topK)
      .map((slot) => ({
        id: this.#ids[slot],
        payload: this.#payloads[slot],
        score: Math.min(1, Math.max(-1, scores[slot])),
      }));
  }

  /**
   * The index as the bytes of a safetensors file: `vectors` `[size, dim]` with length 1, `ids` `[size]`, and `payloads`,
   * the UTF-8 bytes of a JSON array.
   * @throws InputError for an `about` that is no JSON, the signal's reason.
   */
  async toBytes({ signal }: { readonly signal?: AbortSignal } = {}): Promise<Uint8Array> {
    return writeSafetensors(...this.#file(signal));
  }

  /** Saves `toBytes` to a file (Node). @throws InputError in a browser, WeightsError when the disk refuses. */
  async save(path: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await saveSafetensors(path, ...this.#file(signal));
  }

  /**
   * Opens what `save` or `toBytes` made.
   * @param source A path (Node), a URL, a `Blob` or `File`, or bytes.
   * @throws WeightsError for a file that is no such index, DownloadError, the signal's reason.
   */
  static async load<Payload = unknown>(
    source: WeightsSource,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<SimilarityIndex<Payload>> {
    const reading = signal === undefined ? {} : { signal };
    const file = await readSafetensors(source, reading);
    const [dim, count] = storedSizes(file);
    const index = new SimilarityIndex<Payload>({ dim });
    const [vectors, ids, text] = await Promise.all(
      ["vectors", "ids", "payloads"].map((name) => file.host(name, reading)),
    );
    const payloads = parsePayloads(text, count) as Payload[];
    index.#vectors = new Float32Array(Math.max(count, FIRST_CAPACITY) * dim);
    index.#vectors.set(vectors.values as Float32Array);
    index.#ids = Array.from(ids.values, Number);
    index.#payloads = payloads;
    index.#ids.forEach((id, slot) => {
      index.#slots.set(id, slot);
    });
    index.#nextId = Number(file.metadata.next_id);
    index.about = parseJson("about", file.metadata.about);
    if (index.#slots.size !== count || index.#ids.some((id) => !(id >= 0 && id < index.#nextId)))
      throw notAnIndex(`ids of their own below ${index.#nextId}`, "others");
    for (let slot = 0; slot < count; slot++) {
      const squares = index.#vector(slot).reduce((sum, value) => sum + value * value, 0);
      // NaN is neither
      if (!(squares === 0 || Math.abs(squares - 1) < UNIT_TOLERANCE))
        throw notAnIndex("vectors of length 1 or 0", `one of length ${Math.sqrt(squares)}`);
    }
    return index;
  }

  #file(signal: AbortSignal | undefined): Parameters<typeof writeSafetensors> {
    const payloads = new TextEncoder().encode(JSON.stringify(this.#payloads));
    const tensors = {
      vectors: {
        dtype: "float32",
        shape: [this.size, this.dim],
        values: this.#vectors.slice(0, this.size * this.dim),
      },
      ids: { dtype: "int32", shape: [this.size], values: Int32Array.from(this.#ids) },
      payloads: { dtype: "U8", shape: [payloads.length], bytes: payloads },
    } as const;
    assertJson("save", this.about);
    const metadata = {
      format: FORMAT,
      version: "1",
      next_id: String(this.#nextId),
      about: JSON.stringify(this.about),
    };
    return [tensors, { metadata, ...(signal === undefined ? {} : { signal }) }];
  }

  #vector(slot: number): Float32Array {
    return this.#vectors.subarray(slot * this.dim, (slot + 1) * this.dim);
  }

  #unit(method: string, vector: ArrayLike<number>): Float32Array {
    if (vector?.length !== this.dim)
      throw new InputError(
        `SimilarityIndex.${method}: expected a vector of ${this.dim} numbers, got ${vector?.length === undefined ? typeof vector : `${vector.length}`}`,
      );
    let sum = 0;
    for (let at = 0; at < vector.length; at++) sum += vector[at] * vector[at];
    if (!Number.isFinite(sum))
      throw new InputError(
        `SimilarityIndex.${method}: expected a vector of finite numbers, got one with others`,
      );
    const factor = sum > 0 ? 1 / Math.sqrt(sum) : 0;
    return Float32Array.from(vector, (value) => value * factor);
  }

  /** Products of a unit vector with all of the index, `[size]`. */
  #scores(unit: Float32Array): Float64Array {
    const { size, dim } = this;
    const vectors = this.#vectors;
    const scores = new Float64Array(size);
    const even = dim - (dim % 4);
    for (let slot = 0, start = 0; slot < size; slot++, start += dim) {
      // four sums: one would wait for each addition before the next
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      for (let at = 0; at < even; at += 4) {
        const from = start + at;
        a += unit[at] * vectors[from];
        b += unit[at + 1] * vectors[from + 1];
        c += unit[at + 2] * vectors[from + 2];
        d += unit[at + 3] * vectors[from + 3];
      }
      for (let at = even; at < dim; at++) a += unit[at] * vectors[start + at];
      scores[slot] = a + b + c + d;
    }
    return scores;
  }
}

function assertJson(method: string, value: unknown): void {
  let reason: string;
  try {
    if (JSON.stringify(value) !== undefined) return;
    reason = typeof value;
  } catch (error) {
    reason = (error as Error).message;
  }
  throw new InputError(`SimilarityIndex.${method}: expected plain JSON, got something else (${reason})`);
}

function notAnIndex(expected: string, got: string): WeightsError {
  return new WeightsError(`SimilarityIndex.load: expected a saved index with ${expected}, got ${got}`);
}

function storedSizes(file: SafetensorsFile): [dim: number, count: number] {
  const { format, version, next_id: nextId } = file.metadata;
  if (format !== FORMAT || version !== "1")
    throw notAnIndex(`format ${FORMAT} 1`, `${format ?? "no format"} ${version ?? ""}`.trim());
  if (!/^\d{1,10}$/.test(nextId ?? "")) throw notAnIndex("next_id", String(nextId));
  const shapes = Object.fromEntries(
    ["vectors", "ids", "payloads"].map((name) => [name, file.has(name) ? file.info(name) : undefined]),
  );
  const [count, dim] = shapes.vectors?.shape ?? [];
  const isRight =
    shapes.vectors?.dtype === "F32" &&
    shapes.vectors.shape.length === 2 &&
    dim > 0 &&
    shapes.ids?.dtype === "I32" &&
    shapes.ids.shape.length === 1 &&
    shapes.ids.shape[0] === count &&
    shapes.payloads?.dtype === "U8";
  if (!isRight)
    throw notAnIndex("vectors F32 [size, dim], ids I32 [size] and payloads U8", JSON.stringify(shapes));
  return [dim, count];
}

function parseJson(name: string, text = ""): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw notAnIndex(`${name} as JSON`, (error as Error).message);
  }
}

function parsePayloads({ values }: HostEntry, count: number): unknown[] {
  const payloads = parseJson(
    "payloads",
    new TextDecoder().decode(Uint8Array.from(values as ArrayLike<number>)),
  );
  if (!Array.isArray(payloads) || payloads.length !== count)
    throw notAnIndex(
      `${count} payloads`,
      Array.isArray(payloads) ? String(payloads.length) : typeof payloads,
    );
  return payloads;
}
