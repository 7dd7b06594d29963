import {
  add,
  concat,
  expandDims,
  InputError,
  logicalNot,
  logicalOr,
  reshape,
  ShapeError,
  scalar,
  type Tensor,
  tensor,
  tile,
  where,
  zeros,
} from "@ai/tensor";
import { assertTensor, formatShape } from "./checks.js";

/** What a query may not look at. Masks are PyTorch's: bool is true where a key is hidden, float32 is added to the scores. */
export interface AttentionMasks {
  /** Padding among the keys, `[batch, keys]`. */
  readonly keyPaddingMask?: Tensor;
  /**
   * Pairs: `[queries, keys]`; one set a head, `[heads, queries, keys]`; one a sequence and head, `[batch · heads, queries, keys]`;
   * or four axes that broadcast to `[batch, heads, queries, keys]`.
   */
  readonly attentionMask?: Tensor;
  /** Hides from query `i` the keys after `i`. Default false. */
  readonly isCausal?: boolean;
}

/** Axes of the scores that masks are for. */
export interface ScoreSize {
  readonly batch: number;
  readonly heads: number;
  readonly queries: number;
  readonly keys: number;
  /** Keys before the first query's own: those of a cache. Default 0. */
  readonly past?: number;
}

/**
 * Joins PyTorch's masks into what `scaledDotProductAttention` takes: a bool mask that is true where a key is visible,
 * or a float32 mask to add when one of them is float32. A causal rule alone stays a flag unless `materialize` is set.
 * @throws ShapeError or InputError for a mask of another shape or dtype.
 */
export function visibility(
  {
    keyPaddingMask,
    attentionMask,
    isCausal = false,
    materialize = false,
  }: AttentionMasks & { readonly materialize?: boolean },
  size: ScoreSize,
): { mask?: Tensor; isCausal?: boolean } {
  const { past = 0 } = size;
  const hidden: Tensor[] = [];
  if (keyPaddingMask !== undefined) {
    assertMask("keyPaddingMask", keyPaddingMask, [[size.batch, size.keys]]);
    hidden.push(reshape(keyPaddingMask, [size.batch, 1, 1, size.keys]));
  }
  if (attentionMask !== undefined) hidden.push(pairs(attentionMask, size));
  const causal = isCausal && past + 1 < size.keys; // else the first query already sees every key
  if (causal && past === 0 && hidden.length === 0 && !materialize) return { isCausal: true };
  if (causal) hidden.push(afterMask(size.queries, size.keys, past));
  if (hidden.length === 0) return {};
  if (hidden.every(({ dtype }) => dtype === "bool"))
    return { mask: logicalNot(hidden.reduce((a, b) => logicalOr(a, b))) };
  return {
    mask: hidden.map((mask) => (mask.dtype === "bool" ? hiding(mask) : mask)).reduce((a, b) => add(a, b)),
  };
}

/** A mask of {@link visibility} with keys behind the others that every query sees. */
export function withVisibleKeys(
  visible: ReturnType<typeof visibility>,
  keys: number,
  added: number,
): ReturnType<typeof visibility> {
  const { mask } = visible;
  if (mask === undefined || added === 0) return visible;
  const axes = mask.shape.slice(0, -1);
  const whole = mask.shape.at(-1) === keys ? mask : tile(mask, [...axes.map(() => 1), keys]); // [..., keys]
  const seen = zeros([...axes, added], mask.dtype as "float32", mask.dtype === "bool" ? 1 : 0);
  return { mask: concat([whole, seen], { axis: -1 }) }; // [..., keys + added]
}

/** An attention mask with axes that broadcast to the scores. */
function pairs(mask: Tensor, { batch, heads, queries, keys }: ScoreSize): Tensor {
  assertTensor(mask, "attentionMask");
  const scores = [batch, heads, queries, keys];
  if (
    mask.shape.length === 4 &&
    mask.shape.every((length, axis) => length === 1 || length === scores[axis])
  ) {
    assertMaskDtype("attentionMask", mask);
    return mask;
  }
  const [pair, perHead, perScore] = [[], [heads], [batch * heads]].map((axes) => [...axes, queries, keys]);
  assertMask(
    "attentionMask",
    mask,
    [pair, perHead, perScore],
    `, or four axes that broadcast to ${formatShape(scores)}`,
  );
  if (mask.shape.length === 2) return mask;
  return mask.shape[0] === heads ? expandDims(mask, 0) : reshape(mask, scores); // [1 or batch, heads, queries, keys]
}

function assertMask(name: string, mask: Tensor, shapes: readonly (readonly number[])[], besides = ""): void {
  assertTensor(mask, name);
  if (
    !shapes.some(
      (shape) => shape.length === mask.shape.length && shape.every((size, axis) => size === mask.shape[axis]),
    )
  )
    throw new ShapeError(
      `expected ${name} ${shapes.map(formatShape).join(" or ")}${besides}, got ${formatShape(mask.shape)}`,
    );
  assertMaskDtype(name, mask);
}

function assertMaskDtype(name: string, { dtype }: Tensor): void {
  if (dtype !== "bool" && dtype !== "float32")
    throw new InputError(
      `expected ${name} of bool (true hides a key) or float32 (added to the scores), got ${dtype}`,
    );
}

/** −∞ where the mask is true, 0 elsewhere. */
function hiding(mask: Tensor): Tensor {
  return where(mask, scalar(Number.NEGATIVE_INFINITY), scalar(0));
}

/** True where key `j` > `past` + query `i`. @returns `[queries, keys]` bool */
function afterMask(queries: number, keys: number, past: number): Tensor {
  const values = new Uint8Array(queries * keys);
  for (let query = 0; query < queries; query++)
    values.fill(1, Math.min(past + query + 1, keys) + query * keys, (query + 1) * keys);
  return tensor(values, [queries, keys]);
}
