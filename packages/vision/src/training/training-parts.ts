import { describeDevice, isAiError, useDevice } from "@ai/tensor";

/** Starts the fastest device where none was chosen yet, as the tasks do. @throws DeviceError when none starts. */
export async function ensureDevice(): Promise<void> {
  try {
    describeDevice();
  } catch (error) {
    if (!isAiError(error)) throw error;
    await useDevice();
  }
}

/**
 * Pictures a batch where none were asked for: as many as `largest`, fewer in a small set, so that an epoch has eight
 * steps or batches of eight; spread so that the last batch is hardly smaller than the others.
 */
export function batchSizeFor(pictures: number, largest: number): number {
  const wanted = Math.min(largest, Math.max(8, Math.ceil(pictures / 8)));
  return Math.max(1, Math.ceil(pictures / Math.ceil(pictures / wanted)));
}

/** Whether the last batch of an epoch is too small to learn from: batch normalization needs several pictures. */
export function isLastBatchTooSmall(pictures: number, batchSize: number): boolean {
  const last = pictures % batchSize;
  return pictures > batchSize && last > 0 && last * 4 < batchSize;
}
