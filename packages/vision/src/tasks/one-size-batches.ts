import type { PreprocessSteps } from "../preprocess/preprocessor-config.js";

/** Pictures that have one size after preprocessing together, others alone: a batch has one size. */
export function oneSizeBatches<Item>(
  pictures: readonly Item[],
  { resize, centerCrop, pad }: PreprocessSteps,
): (readonly Item[])[] {
  const isOneSize =
    centerCrop !== undefined || pad !== undefined || (resize !== undefined && "height" in resize);
  return isOneSize ? [pictures] : pictures.map((picture) => [picture]);
}
