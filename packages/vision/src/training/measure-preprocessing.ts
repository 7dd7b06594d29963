import type { VisionSample } from "../augment/sample.js";
import type { Picture } from "../preprocess/picture.js";
import type { KeptSamples, SampleSize } from "./picture-set.js";

/** Content of a `preprocessor_config.json` whose mean and deviation are those of at most `count` of the pictures. */
export async function measurePreprocessing(
  pictures: KeptSamples<VisionSample>,
  { width, height }: SampleSize,
  { count, signal }: { readonly count: number; readonly signal: AbortSignal | undefined },
): Promise<Readonly<Record<string, unknown>>> {
  const { mean, deviation } = channelStatistics(await pictures.some(count, signal));
  return {
    image_processor_type: "ViTImageProcessor",
    size: { height, width },
    resample: 2,
    image_mean: mean,
    image_std: deviation,
  };
}

/** Mean and standard deviation of each channel over pictures, of levels in [0, 1]. */
function channelStatistics(pictures: readonly Picture[]): { mean: number[]; deviation: number[] } {
  const sums = [0, 0, 0];
  const squares = [0, 0, 0];
  let count = 0;
  for (const { data } of pictures) {
    count += data.length / 3;
    for (let at = 0; at < data.length; at++) {
      const level = data[at] / 255;
      sums[at % 3] += level;
      squares[at % 3] += level * level;
    }
  }
  const mean = sums.map((sum) => sum / count);
  const round = (value: number): number => Number(value.toFixed(4));
  return {
    mean: mean.map(round),
    // a channel without any difference is left as it is
    deviation: squares.map(
      (sum, channel) =>
        // rounded first: of equal levels a difference of rounding is left
        round(Math.sqrt(Math.max(sum / count - mean[channel] ** 2, 0))) || 1,
    ),
  };
}
