import {
  type AttentionCall,
  dispose,
  InputError,
  keep,
  noGrad,
  observeAttention,
  type Tensor,
  tidy,
} from "@ai/tensor";
import { assertOneOf } from "../checks.js";
import type { AnyModule } from "../module.js";
import { suggestion } from "../tasks/spelling.js";
import type { ExplainOptions } from "./explain-options.js";
import { joined, Subject } from "./subject.js";

/** Options of {@link attentionMaps}. */
export interface AttentionMapsOptions
  extends Pick<ExplainOptions, "otherInputs" | "batchSize" | "signal" | "onProgress"> {
  /** Paths of the layers whose maps to give. Default: all. */
  readonly layers?: readonly string[];
  /** One map a head, or their mean. Default `"each"`. */
  readonly heads?: "each" | "mean";
}

/** Where the queries of one attention looked: plain values. */
export interface AttentionMap {
  /** Path of the layer that computed it; a layer that is called twice gives two maps, in the order of the calls. */
  readonly path: string;
  /** Row-major, of `shape`; the weights of a query sum to 1. */
  readonly values: Float32Array;
  /** `[batch, heads, queries, keys]`, or `[batch, queries, keys]` for the mean. */
  readonly shape: readonly number[];
}

/**
 * The attention weights of every attention in a model, in the order in which they are computed: of our layers, of whatever
 * else calls `scaledDotProductAttention`, and what own implementations announce. The model's results stay the same.
 * @param x the first input, `[batch, ...]`
 * @returns one map an attention
 * @throws InputError for a model without attention, a path that has none, or options that do not fit; the signal's reason.
 * @example
 * const [first] = await attentionMaps(model, ids); // first.shape [batch, heads, length, length]
 */
export async function attentionMaps(
  model: AnyModule,
  x: Tensor,
  options: AttentionMapsOptions = {},
): Promise<AttentionMap[]> {
  const { layers, heads = "each", ...rest } = options;
  const names = ["otherInputs", "batchSize", "signal", "onProgress"];
  const subject = new Subject("attentionMaps", { model, x, names }, rest);
  assertOneOf("attentionMaps", "heads", heads, ["each", "mean"]);
  if (layers !== undefined && !Array.isArray(layers))
    throw new InputError(`attentionMaps: expected layers as an array of paths, got ${typeof layers}`);
  const maps: { path: string; shape: number[]; parts: Float32Array[] }[] = [];
  const seen = new Set<string>();

  const observed = (rows: number[]): { path: string; weights: Tensor }[] => {
    const found: { path: string; weights: Tensor }[] = [];
    const observe = ({ layer, weights }: AttentionCall): void => {
      const path = layer.split(".").slice(1).join("."); // the first is the model's class
      seen.add(path);
      if (layers === undefined || layers.includes(path)) found.push({ path, weights: keep(tidy(weights)) });
    };
    try {
      noGrad(() => tidy(() => observeAttention(observe, () => void subject.call(rows, subject.take(rows)))));
    } catch (error) {
      dispose(found.map(({ weights }) => weights));
      throw error;
    }
    return found;
  };

  const weightsOf = (rows: number[]): Tensor[] => {
    const found = observed(rows);
    found.forEach(({ path, weights }, index) => {
      maps[index] ??= { path, shape: [subject.batch, ...weights.shape.slice(1)], parts: [] };
    });
    return found.map(({ weights }) => weights);
  };
  await subject.forEachBatch(subject.batch, weightsOf, (_, values) => {
    values.forEach((value, index) => {
      maps[index].parts.push(value);
    });
  });
  if (seen.size === 0)
    throw new InputError(
      "attentionMaps: expected a model with attention, got one without; an own implementation calls announceAttention",
    );
  const unknown = layers?.find((path) => !seen.has(path));
  if (unknown !== undefined)
    throw new InputError(
      `attentionMaps: expected paths of attentions, got "${unknown}"${suggestion(unknown, [...seen])}`,
    );
  return maps.map(({ path, shape, parts }) => {
    const map = { path, shape, values: joined(parts) };
    return heads === "each" ? map : meanOfHeads(map);
  });
}

/** @returns `[batch, queries, keys]` */
function meanOfHeads({ path, values, shape }: AttentionMap): AttentionMap {
  const [batch, heads, queries, keys] = shape;
  const means = fuseHeads({ values, shape }, (weights) => weights.reduce((a, b) => a + b, 0) / heads);
  return { path, values: Float32Array.from(means), shape: [batch, queries, keys] };
}

/** One number of the heads' numbers. @param map `[batch, heads, queries, keys]` @returns `[batch, queries, keys]` @internal */
export function fuseHeads(
  { values, shape }: Pick<AttentionMap, "values" | "shape">,
  fuse: (weights: readonly number[]) => number,
): Float64Array {
  const [batch, heads, queries, keys] = shape;
  const pairs = queries * keys;
  return Float64Array.from({ length: batch * pairs }, (_, at) => {
    const first = Math.floor(at / pairs) * heads * pairs + (at % pairs);
    return fuse(Array.from({ length: heads }, (_, head) => values[first + head * pairs]));
  });
}
