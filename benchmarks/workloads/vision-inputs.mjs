import { values } from "./inputs.mjs";

/** What a model is given, `[size, size, 3]`. */
export const visionInput = (size) => values(size * size * 3, 8).map((value) => 2 * value);

/** A picture with soft shapes and a little grain, `[height, width, 3]`. */
export function drawPicture(width, height) {
  const grain = values(width * height, 9);
  const data = new Uint8ClampedArray(width * height * 3);
  for (let row = 0, at = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const [x, y] = [column / width, row / height];
      const noise = 12 * grain[row * width + column];
      data[at++] = 128 + 100 * Math.sin(9 * x + 4 * y) + noise;
      data[at++] = 128 + 100 * Math.sin(5 * x * y + 7 * y + 1) + noise;
      data[at++] = 128 + 100 * Math.cos(6 * (x - 0.5) ** 2 + 8 * (y - 0.4) ** 2) + noise;
    }
  return { data, width, height, channels: 3 };
}

/** What classifications are compared by: the best class, and which five are the best. */
export const digestClasses = (classes) => ({
  best: classes[0].label,
  classes: classes.map(({ label }) => label).sort(),
});
