import type { Augmentation, Picture } from "@ai/vision";

/** Share of the digits that stay as they are. */
const UNCHANGED = 1 / 3;
/** Largest difference of light from one side of a picture to the other, in grey levels. */
const LIGHT = 50;
/** Largest difference of a pixel by chance, in grey levels. */
const GRAIN = 10;

/**
 * Makes of white digits on black what a camera sees: dark ink on light paper as often as the other way round, paler than
 * full contrast, lit from one side, with grain. A third of the pictures stay as they are.
 */
export function likePhotos(): Augmentation {
  return (sample, { generator }) => {
    const { picture } = sample;
    if (generator.uniform() < UNCHANGED) return sample;
    const between = (from: number, to: number): number => from + (to - from) * generator.uniform();
    const [dark, light] = [between(0, 90), between(150, 255)];
    const [paper, ink] = generator.uniform() < 0.5 ? [light, dark] : [dark, light];
    const { width, height, channels } = picture;
    const [across, down] = [between(-LIGHT, LIGHT) / width, between(-LIGHT, LIGHT) / height];
    const data = new Uint8ClampedArray(picture.data.length);
    for (let pixel = 0; pixel < width * height; pixel++) {
      const [x, y] = [pixel % width, Math.floor(pixel / width)];
      const lit = across * (x - width / 2) + down * (y - height / 2) + between(-GRAIN, GRAIN);
      for (let channel = 0; channel < channels; channel++) {
        const at = channels * pixel + channel;
        data[at] = paper + ((ink - paper) * picture.data[at]) / 255 + lit;
      }
    }
    return { ...sample, picture: { ...picture, data: new Uint8Array(data.buffer) } };
  };
}

/** A white digit on black as dark ink on light paper. */
export function inkOnPaper(picture: Picture): Picture {
  return { ...picture, data: Uint8Array.from(picture.data, (level) => 220 - (180 * level) / 255) };
}
