import type { Tensor } from "@tensorflow/tfjs-core";

const versions = new WeakMap<object, number>();

/** How often the data behind a tensor were updated in place; undefined for data that never were. */
export function dataVersion(tensor: { dataId: object }): number | undefined {
  return versions.get(tensor.dataId);
}

/**
 * Marks the data behind a tensor as changed: packed copies, host caches and saved tensors of it are stale now.
 * @param tensor `[...]` of any dtype.
 */
export function raiseVersion(tensor: Tensor): void {
  versions.set(tensor.dataId, (versions.get(tensor.dataId) ?? 0) + 1);
}
