import type { Picture } from "../picture.js";
import type { PngParts } from "./png-chunks.js";

/**
 * A picture of a PNG's samples.
 * @param samples `[height, width, samples of a pixel]`, unscaled: a palette index, or a level of `bits` bits.
 * @param low The low bytes of 16-bit samples, where a transparent colour is compared with them.
 */
export function pictureOfSamples(parts: PngParts, samples: Uint8Array, low?: Uint8Array): Picture {
  const { width, height, colorType, bits, transparency } = parts;
  if (colorType === 3) return fromPalette(parts, samples);
  if (colorType === 6) return { data: samples, width, height, channels: 4 };
  if (colorType === 4) return { data: greyAndAlpha(samples), width, height, channels: 4 };
  const channels = colorType === 2 ? 3 : 1;
  const opacity =
    transparency !== undefined && transparency.length >= 2 * channels
      ? opacityOf(samples, channels, transparency, bits, low)
      : undefined;
  if (bits < 8) {
    const scale = 255 / (2 ** bits - 1);
    for (let at = 0; at < samples.length; at++) samples[at] *= scale;
  }
  if (opacity === undefined) return { data: samples, width, height, channels };
  const data = new Uint8Array(opacity.length * 4);
  for (let pixel = 0; pixel < opacity.length; pixel++) {
    const source = pixel * channels;
    data[4 * pixel] = samples[source];
    data[4 * pixel + 1] = samples[channels === 3 ? source + 1 : source];
    data[4 * pixel + 2] = samples[channels === 3 ? source + 2 : source];
    data[4 * pixel + 3] = opacity[pixel];
  }
  return { data, width, height, channels: 4 };
}

function greyAndAlpha(samples: Uint8Array): Uint8Array {
  const data = new Uint8Array(samples.length * 2);
  for (let source = 0; source < samples.length; source += 2) {
    data.fill(samples[source], 2 * source, 2 * source + 3);
    data[2 * source + 3] = samples[source + 1];
  }
  return data;
}

/** 0 where a pixel has the one transparent colour, else 255. */
function opacityOf(
  samples: Uint8Array,
  channels: number,
  transparency: Uint8Array,
  bits: number,
  low?: Uint8Array,
): Uint8Array {
  const opacity = new Uint8Array(samples.length / channels);
  const high = bits === 16 ? 0 : 1;
  for (let pixel = 0; pixel < opacity.length; pixel++) {
    let isSame = true;
    for (let channel = 0; channel < channels; channel++) {
      const at = pixel * channels + channel;
      isSame &&= samples[at] === transparency[2 * channel + high];
      if (low !== undefined) isSame &&= low[at] === transparency[2 * channel + 1];
    }
    opacity[pixel] = isSame ? 0 : 255;
  }
  return opacity;
}

/** Colours beyond the palette are black. */
function fromPalette({ width, height, palette, transparency }: PngParts, indices: Uint8Array): Picture {
  const colors = new Uint8Array(768);
  colors.set((palette as Uint8Array).subarray(0, 768));
  const channels = transparency === undefined ? 3 : 4;
  const data = new Uint8Array(indices.length * channels);
  for (let pixel = 0; pixel < indices.length; pixel++) {
    const index = indices[pixel];
    const target = pixel * channels;
    data[target] = colors[3 * index];
    data[target + 1] = colors[3 * index + 1];
    data[target + 2] = colors[3 * index + 2];
    if (channels === 4) data[target + 3] = transparency?.[index] ?? 255;
  }
  return { data, width, height, channels };
}
