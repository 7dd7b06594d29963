import { assertNumbers, assertOptionNames } from "../preprocess/checks.js";
import { type Fill, fillPixels } from "../preprocess/fill.js";
import { assertRange } from "./random-crop.js";
import { type Augmentation, assertSample, uniformBetween } from "./sample.js";

/** Options of {@link randomErasing}; torchvision's defaults. */
export interface RandomErasingOptions {
  /** How often; 0.5 unless it says otherwise. */
  readonly probability?: number;
  /** Smallest and largest part of the area; [0.02, 0.33] unless it says otherwise. */
  readonly scale?: readonly [number, number];
  /** Smallest and largest width to height; [0.3, 3.3] unless it says otherwise. */
  readonly ratio?: readonly [number, number];
  /** What is put there: a colour, or random levels; 0 unless it says otherwise. */
  readonly fill?: Fill | "random";
}

/**
 * Erases a rectangle by chance; boxes and mask stay, since the objects are still there, hidden.
 * @throws InputError for a probability outside [0, 1], or ranges that are not in order.
 * @see Zhong et al. (2020), "Random erasing data augmentation", https://arxiv.org/abs/1708.04896
 */
export function randomErasing(options: RandomErasingOptions = {}): Augmentation {
  const operation = "randomErasing";
  assertOptionNames(operation, options, ["probability", "scale", "ratio", "fill"]);
  const { probability = 0.5, scale = [0.02, 0.33], ratio = [0.3, 3.3], fill = 0 } = options;
  assertNumbers(operation, { probability }, 0, 1);
  assertRange(operation, "scale", scale, 1);
  assertRange(operation, "ratio", ratio, Number.POSITIVE_INFINITY);
  return (sample, context) => {
    assertSample(operation, sample, context);
    const { generator } = context;
    if (!generator.bernoulli(probability)) return sample;
    const { width, height, channels } = sample.picture;
    for (let attempt = 0; attempt < 10; attempt++) {
      const area = width * height * uniformBetween(generator, scale[0], scale[1]);
      const aspect = Math.exp(uniformBetween(generator, Math.log(ratio[0]), Math.log(ratio[1])));
      const erasedWidth = Math.round(Math.sqrt(area * aspect));
      const erasedHeight = Math.round(Math.sqrt(area / aspect));
      if (erasedWidth < 1 || erasedHeight < 1 || erasedWidth >= width || erasedHeight >= height) continue;
      const left = generator.integer(0, width - erasedWidth + 1);
      const top = generator.integer(0, height - erasedHeight + 1);
      const data = Uint8Array.from(sample.picture.data);
      for (let row = top; row < top + erasedHeight; row++) {
        const start = (row * width + left) * channels;
        const line = data.subarray(start, start + erasedWidth * channels);
        if (fill === "random") line.set(generator.words(line.length));
        else fillPixels(operation, line, channels, fill);
      }
      return { ...sample, picture: { ...sample.picture, data } };
    }
    return sample;
  };
}
