import { InputError, ShapeError, type Tensor } from "@ai/tensor";
import { assertOneOf, formatShape } from "../checks.js";
import type { AnyModule } from "../module.js";
import { assertOptionNames } from "../training/option-names.js";
import { type AttentionMap, type AttentionMapsOptions, attentionMaps, fuseHeads } from "./attention-maps.js";

/** Options of {@link rollOutAttention}. */
export interface RolloutOptions {
  /** How the heads become one. Default `"mean"`. */
  readonly headFusion?: "mean" | "max" | "min";
  /** Count the residual around each attention as half of what passes. Default true. */
  readonly residual?: boolean;
}

/** Options of {@link attentionRollout}. */
export interface AttentionRolloutOptions extends Omit<AttentionMapsOptions, "heads">, RolloutOptions {}

/** How much of each input position is in each output position. */
export interface AttentionRollout {
  /** Row-major, of `shape`; the numbers of an output position sum to 1. */
  readonly values: Float32Array;
  /** `[batch, outputs, inputs]` */
  readonly shape: readonly number[];
}

/**
 * Follows attention through a stack of layers: the product of `(A_l + I) / 2` over the layers, rows scaled to sum 1. Row 0
 * is what a class token saw.
 * @param x the first input, `[batch, ...]`
 * @returns `[batch, length, length]`
 * @throws InputError or ShapeError for a model without attention, attentions between different lengths (choose with
 * `layers`), or options that do not fit; the signal's reason.
 * @see Abnar, Zuidema (2020), "Quantifying attention flow in transformers", https://arxiv.org/abs/2005.00928
 * @example
 * const { values, shape } = await attentionRollout(model, ids); // shape [batch, length, length]
 */
export async function attentionRollout(
  model: AnyModule,
  x: Tensor,
  options: AttentionRolloutOptions = {},
): Promise<AttentionRollout> {
  const { headFusion, residual, ...mapOptions } = options;
  const names = ["layers", "otherInputs", "batchSize", "signal", "onProgress", "headFusion", "residual"];
  assertOptionNames("attentionRollout", options, names);
  assertFusion(headFusion);
  return rollOutAttention(await attentionMaps(model, x, mapOptions), { headFusion, residual });
}

function assertFusion(headFusion: string | undefined): void {
  assertOneOf("attentionRollout", "headFusion", headFusion ?? "mean", ["mean", "max", "min"]);
}

/**
 * {@link attentionRollout} of maps that are there already.
 * @param maps of {@link attentionMaps}, one map a head, the first layer first
 * @returns `[batch, length, length]`
 * @throws ShapeError for maps between different lengths. @throws InputError for none, or an unknown option.
 */
export function rollOutAttention(
  maps: readonly AttentionMap[],
  options: RolloutOptions = {},
): AttentionRollout {
  assertOptionNames("attentionRollout", options, ["headFusion", "residual?"]);
  const { headFusion = "mean", residual = true } = options;
  assertFusion(headFusion);
  if (!Array.isArray(maps) || maps.length === 0)
    throw new InputError("attentionRollout: expected attention maps, got none");
  const [batch, , length] = maps[0].shape;
  for (const { shape, path } of maps)
    if (shape.length !== 4 || shape[0] !== batch || shape[2] !== length || shape[3] !== length)
      throw new ShapeError(
        `attentionRollout: expected maps [${batch}, heads, ${length}, ${length}], got ${formatShape(shape)} of ${path}; choose the self-attentions with layers`,
      );
  const fuse = {
    mean: (weights: readonly number[]) => weights.reduce((a, b) => a + b, 0) / weights.length,
    max: (weights: readonly number[]) => Math.max(...weights),
    min: (weights: readonly number[]) => Math.min(...weights),
  }[headFusion];
  const flows = maps.map((map) => flowOf(fuseHeads(map, fuse), length, residual));
  const values = flows.reduce((before, flow) => product(flow, before, length));
  return { values: Float32Array.from(values), shape: [batch, length, length] };
}

/** `(A + I) / 2`, rows scaled to sum 1. @param weights `[batch, length, length]` */
function flowOf(weights: Float64Array, length: number, residual: boolean): Float64Array {
  const flow = Float64Array.from(weights, (weight, at) => {
    const diagonal = Math.floor(at / length) % length === at % length;
    return weight + (residual && diagonal ? 1 : 0);
  });
  for (let row = 0; row < flow.length; row += length) {
    const own = flow.subarray(row, row + length);
    const sum = own.reduce((total, value) => total + value, 0);
    if (sum > 0)
      flow.set(
        own.map((value) => value / sum),
        row,
      );
  }
  return flow;
}

/** Matrix product of each sample. @param a @param b `[batch, length, length]` */
function product(a: Float64Array, b: Float64Array, length: number): Float64Array {
  const result = new Float64Array(a.length);
  for (let row = 0; row < a.length; row += length) {
    const sample = Math.floor(row / (length * length)) * length * length;
    for (let middle = 0; middle < length; middle++)
      for (let column = 0; column < length; column++)
        result[row + column] += a[row + middle] * b[sample + middle * length + column];
  }
  return result;
}
