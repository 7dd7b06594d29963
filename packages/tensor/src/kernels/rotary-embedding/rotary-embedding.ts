import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../../arguments.js";
import { asDType } from "../../dtype.js";
import { DTypeError, InputError, ShapeError } from "../../errors.js";
import { broadcastShapes, formatShape, sameShape } from "../../shape.js";
import { tensor } from "../../tensor.js";
import { defineKernel } from "../define-kernel.js";
import { rotaryEmbeddingGradient } from "./rotary-embedding.gradient.js";
import { rotaryEmbeddingReference } from "./rotary-embedding.reference.js";
import { rotaryEmbeddingWasm } from "./rotary-embedding.wasm.js";
import { rotaryEmbeddingWebgpu } from "./rotary-embedding.webgpu.js";

export type RotaryEmbeddingInputs = { x: Tensor; cosine: Tensor; sine: Tensor };
export type RotaryEmbeddingAttributes = { interleaved: boolean };

export const rotaryEmbeddingKernel = /* @__PURE__ */ defineKernel<
  RotaryEmbeddingInputs,
  RotaryEmbeddingAttributes
>({
  name: "RotaryEmbedding",
  reference: rotaryEmbeddingReference,
  implementations: { wasm: rotaryEmbeddingWasm, webgpu: rotaryEmbeddingWebgpu },
  saves: ["x", "cosine", "sine"],
  gradient: rotaryEmbeddingGradient,
});

/** Options of {@link rotaryEmbedding}. */
export interface RotaryEmbeddingOptions {
  /** Cosines of the angles, `[length, rotaryDim / 2]`, or any shape that broadcasts with `[batch, heads, length, rotaryDim / 2]`. */
  readonly cosine: Tensor;
  /** Sines of the angles, the shape of `cosine`. */
  readonly sine: Tensor;
  /** True: channels `2i` and `2i + 1` are a pair (GPT-J). False (default): `i` and `i + rotaryDim / 2` are (Llama). */
  readonly interleaved?: boolean;
}

/** Options of {@link rotaryTables}. */
export interface RotaryTableOptions {
  /** Channels that are rotated, an even number. */
  readonly dim: number;
  /** Positions of the rows: a count for 0, 1, …, or the positions themselves. */
  readonly positions: number | readonly number[];
  /** Base of the angular frequencies. Default 10000. */
  readonly base?: number;
}

/**
 * Cosines and sines of `position · base^(−2i / dim)`. Computed on the host, because a GPU's sine may be off by 2⁻¹¹;
 * rounded to float32 step by step as PyTorch models do, whose weights were trained with those angles.
 * @returns `cosine` and `sine`, each `[length, dim / 2]`
 * @throws InputError for an odd `dim`, or a base or a position that is not a finite number.
 */
export function rotaryTables(options: RotaryTableOptions): {
  cosine: Tensor;
  sine: Tensor;
} {
  assertOptions("rotaryTables", options, ["dim", "positions", "base"]);
  const { dim, positions, base = 10000 } = options;
  if (!Number.isInteger(dim) || dim < 0 || dim % 2 !== 0)
    throw new InputError(`rotaryTables: expected an even dim, got ${dim}`);
  if (!(base > 0 && Number.isFinite(base)))
    throw new InputError(`rotaryTables: expected a positive base, got ${base}`);
  const rows =
    typeof positions === "number" ? Array.from({ length: positions }, (_, index) => index) : positions;
  if (!rows.every(Number.isFinite))
    throw new InputError("rotaryTables: expected finite positions, got others");
  const half = dim / 2;
  const cosine = new Float32Array(rows.length * half);
  const sine = new Float32Array(rows.length * half);
  for (let i = 0; i < half; i++) {
    const frequency = Math.fround(1 / Math.fround(base ** Math.fround((2 * i) / dim)));
    for (let row = 0; row < rows.length; row++) {
      const angle = Math.fround(rows[row] * frequency);
      cosine[row * half + i] = Math.cos(angle);
      sine[row * half + i] = Math.sin(angle);
    }
  }
  return { cosine: tensor(cosine, [rows.length, half]), sine: tensor(sine, [rows.length, half]) };
}

/**
 * Rotary position embedding: each pair of channels `(a, b)` turns by its angle into
 * `(a·cos − b·sin, b·cos + a·sin)`. Channels beyond `rotaryDim` stay as they are.
 * @param x `[batch, heads, length, headDim]`, or any shape `[..., length, headDim]`.
 * @returns the shape of `x`
 * @throws ShapeError when the tables do not fit.
 * @throws DTypeError when a tensor is not float32.
 * @see Su et al. (2021), "RoFormer", https://arxiv.org/abs/2104.09864, section 3.4.2
 * @example
 * const tables = rotaryTables({ dim: 64, positions: 128 });
 * const rotated = rotaryEmbedding(query, { ...tables }); // query [batch, heads, 128, 64]
 */
export function rotaryEmbedding(x: Tensor, options: RotaryEmbeddingOptions): Tensor {
  assertOptions("rotaryEmbedding", options, ["cosine", "sine", "interleaved?"]);
  const { cosine, sine, interleaved = false } = options;
  for (const [name, value] of Object.entries({ x, cosine, sine }))
    if (asDType("rotaryEmbedding", value?.dtype) !== "float32")
      throw new DTypeError(
        `rotaryEmbedding: expected float32 for ${name}, got ${value.dtype}; cast it first`,
      );
  const half = cosine.shape[cosine.shape.length - 1] ?? 0;
  if (!sameShape(cosine.shape, sine.shape))
    throw new ShapeError(
      `rotaryEmbedding: expected cosine and sine of one shape, got ${formatShape(cosine.shape)} and ${formatShape(sine.shape)}`,
    );
  if (x.shape.length < 2 || cosine.shape.length < 1 || 2 * half > x.shape[x.shape.length - 1])
    throw new ShapeError(
      `rotaryEmbedding: expected x [..., length, headDim] and tables [length, at most headDim / 2], got ${formatShape(x.shape)} and ${formatShape(cosine.shape)}`,
    );
  const pairs = [...x.shape.slice(0, -1), half];
  if (!sameShape(broadcastShapes("rotaryEmbedding", pairs, cosine.shape), pairs))
    throw new ShapeError(
      `rotaryEmbedding: expected tables that broadcast to ${formatShape(pairs)}, got ${formatShape(cosine.shape)}`,
    );
  return rotaryEmbeddingKernel({ x, cosine, sine }, { interleaved });
}
