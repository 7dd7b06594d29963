import { concat, dispose, InputError, keep, narrow, type Tensor } from "@ai/tensor";
import { assertShape } from "./checks.js";

/**
 * Keys and values of the positions that an attention layer has seen: a value that a call takes and another that it gives
 * back, so that a beam may branch and a request may be dropped.
 */
export interface KvCache {
  /** `[batch, heads, length, headDim]` */
  readonly key: Tensor;
  /** `[batch, heads, length, headDim]` */
  readonly value: Tensor;
  /** Position of the first key: how many were cropped before it. Default 0. */
  readonly start?: number;
}

const AXES = ["batch", "heads", "length", "headDim"] as const;

/**
 * The positions of a cache and new ones behind them.
 * @param cache Undefined before the first call.
 * @param next Keys and values of the new positions, `[batch, heads, newLength, headDim]` each.
 * @returns a cache of all positions, from the old one's `start` on; the caller's, as is the old one.
 * @throws ShapeError when the shapes do not fit.
 */
export function appendToCache(cache: KvCache | undefined, next: KvCache): KvCache {
  assertShape(next.key, AXES);
  assertShape(next.value, AXES);
  if (cache === undefined) return next;
  return {
    key: concat([cache.key, next.key], { axis: 2 }),
    value: concat([cache.value, next.value], { axis: 2 }),
    start: cache.start ?? 0,
  };
}

/**
 * The last positions of a cache: a sliding window. Its keys keep the positions that they were turned to: the next call goes
 * on behind them, at {@link nextPosition}, not at the length that is left.
 * @param maxLength How many positions stay at most.
 * @returns a cache of its own.
 * @throws InputError for a length below 1.
 */
export function cropCache({ key, value, start = 0 }: KvCache, maxLength: number): KvCache {
  if (!Number.isInteger(maxLength) || maxLength < 1)
    throw new InputError(`cropCache: expected a maxLength of at least 1, got ${maxLength}`);
  const dropped = Math.max(0, cacheLength({ key, value }) - maxLength);
  const crop = (x: Tensor): Tensor => narrow(x, { axis: 2, start: dropped, length: x.shape[2]! - dropped });
  return { key: crop(key), value: crop(value), start: start + dropped };
}

/** Positions in a cache; 0 for none. */
export function cacheLength(cache: KvCache | undefined): number {
  return cache?.key.shape[2] ?? 0;
}

/** Position of the token behind a cache, those counted that were cropped: where a positional encoding goes on; 0 for none. */
export function nextPosition(cache: KvCache | undefined): number {
  return (cache?.start ?? 0) + cacheLength(cache);
}

/** Keeps a cache alive when the surrounding `tidy` ends. */
export function keepCache(cache: KvCache): KvCache {
  keep(cache.key);
  keep(cache.value);
  return cache;
}

/** Frees a cache. */
export function disposeCache(cache: KvCache | undefined): void {
  if (cache !== undefined) dispose([cache.key, cache.value]);
}
