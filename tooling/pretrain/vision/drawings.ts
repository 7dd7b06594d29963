import type { Picture } from "@ai/vision";

/** A grey level, or red, green and blue. */
type Color = readonly [number] | readonly [number, number, number];

/** A line through points; one point alone is a disc. */
interface Stroke {
  readonly points: readonly (readonly [x: number, y: number])[];
  /** In pixels. */
  readonly thickness: number;
  readonly color: Color;
}

/** How far a place is from a line between two points. */
function distanceToLine(
  [x, y]: readonly [number, number],
  [x0, y0]: readonly [number, number],
  [x1, y1]: readonly [number, number],
): number {
  const [across, down] = [x1 - x0, y1 - y0];
  const square = across * across + down * down;
  const part = square === 0 ? 0 : Math.min(1, Math.max(0, ((x - x0) * across + (y - y0) * down) / square));
  return Math.hypot(x - x0 - part * across, y - y0 - part * down);
}

/** Draws strokes with soft edges, one over the other. */
function draw(width: number, height: number, paper: Color, strokes: readonly Stroke[]): Picture {
  const channels = paper.length;
  const data = new Uint8Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const place = [(pixel % width) + 0.5, Math.floor(pixel / width) + 0.5] as const;
    let color: readonly number[] = paper;
    for (const { points, thickness, color: ink } of strokes) {
      const pairs =
        points.length === 1
          ? [[points[0], points[0]]]
          : points.slice(1).map((point, index) => [points[index], point]);
      const distance = Math.min(...pairs.map(([from, to]) => distanceToLine(place, from, to)));
      const cover = Math.min(1, Math.max(0, thickness / 2 + 0.5 - distance));
      color = color.map((level, channel) => level + cover * (ink[channel] - level));
    }
    data.set(color.map(Math.round), pixel * channels);
  }
  return { data, width, height, channels };
}

const chalk = (points: Stroke["points"]): Stroke => ({ points, thickness: 3, color: [255] });
const pen = (points: Stroke["points"]): Stroke => ({ points, thickness: 5, color: [40, 40, 90] });
const disc = (x: number, y: number, thickness: number, color: Color): Stroke => ({
  points: [[x, y]],
  thickness,
  color,
});

/** Pictures of our own drawing, small enough to be kept with the tests: what each model says of them is stored there. */
export const drawings: Readonly<Record<string, Readonly<Record<string, Picture>>>> = {
  "mnist-digits": {
    // chalk on slate as in MNIST, and ink on paper of another size and in colour
    seven: draw(
      28,
      28,
      [0],
      [
        chalk([
          [7, 7],
          [20, 7],
          [12, 22],
        ]),
      ],
    ),
    four: draw(
      44,
      48,
      [225, 220, 205],
      [
        pen([
          [18, 8],
          [11, 26],
          [32, 26],
        ]),
        pen([
          [27, 12],
          [26, 40],
        ]),
      ],
    ),
  },
  "cifar10-small": {
    ship: draw(
      32,
      32,
      [150, 190, 230],
      [
        {
          points: [
            [0, 28],
            [32, 28],
          ],
          thickness: 12,
          color: [30, 70, 110],
        },
        {
          points: [
            [8, 20],
            [25, 20],
          ],
          thickness: 5,
          color: [120, 30, 30],
        },
        {
          points: [
            [12, 15],
            [18, 15],
          ],
          thickness: 5,
          color: [240, 240, 240],
        },
      ],
    ),
    plane: draw(
      48,
      40,
      [120, 170, 235],
      [
        {
          points: [
            [6, 20],
            [42, 18],
          ],
          thickness: 5,
          color: [225, 225, 230],
        },
        {
          points: [
            [28, 19],
            [16, 32],
          ],
          thickness: 4,
          color: [190, 190, 200],
        },
        {
          points: [
            [8, 19],
            [5, 12],
          ],
          thickness: 4,
          color: [200, 200, 210],
        },
      ],
    ),
  },
  "bccd-cells": {
    smear: draw(
      160,
      120,
      [225, 215, 205],
      [
        disc(30, 30, 26, [205, 150, 150]),
        disc(30, 30, 10, [215, 175, 170]),
        disc(125, 88, 26, [205, 150, 150]),
        disc(125, 88, 10, [215, 175, 170]),
        disc(80, 62, 46, [195, 170, 200]),
        disc(82, 60, 32, [120, 70, 150]),
        disc(128, 28, 7, [150, 100, 165]),
      ],
    ),
  },
};
