import { InputError } from "@ai/tensor";
import { assertIntegers, assertOptionNames } from "../preprocess/checks.js";
import { convertChannels } from "../preprocess/convert-channels.js";
import { assertPicture, type Picture } from "../preprocess/picture.js";
import type { Box } from "../preprocess/picture-transform.js";
import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphsOf, isSet } from "./bitmap-font.js";
import { assertBoxes } from "./boxes.js";

/** A box to draw, such as an object detector's answer. */
export interface DrawnBox {
  readonly label: string;
  /** Written beside the label in percent; left out without. */
  readonly score?: number;
  /** Edges in pixels of the picture. */
  readonly box: Box;
}

/** Options of {@link drawBoxes}. */
export interface DrawBoxesOptions {
  /** Width of the lines in pixels. Default a 240th of the shorter edge, at least 1. */
  readonly lineWidth?: number;
  /** Pixels of each dot of the letters, which are 5 dots high; 0 leaves the labels out. Default as wide as the lines. */
  readonly dotSize?: number;
}

type Color = readonly [red: number, green: number, blue: number];

/** A strong colour that belongs to a label. */
function colorOf(label: string): Color {
  let hash = 0;
  for (const letter of label) hash = (Math.imul(hash, 31) + (letter.codePointAt(0) as number)) >>> 0;
  const hue = (hash * 0.618_033_988_75) % 1; // the golden ratio spreads neighbours
  const channel = (shift: number): number =>
    Math.round(255 * Math.min(1, Math.max(0, Math.abs(((hue + shift) % 1) * 6 - 3) - 1)));
  return [channel(0), channel(2 / 3), channel(1 / 3)];
}

const luminance = ([red, green, blue]: Color): number => 0.299 * red + 0.587 * green + 0.114 * blue;

/** Fills the part of a rectangle that lies in the picture. */
function fill({ data, width, height }: Picture, [left, top, right, bottom]: Box, color: Color): void {
  for (let y = Math.max(0, top); y < Math.min(height, bottom); y++)
    for (let x = Math.max(0, left); x < Math.min(width, right); x++) data.set(color, (y * width + x) * 3);
}

function drawText(
  picture: Picture,
  text: string,
  {
    x,
    y,
    dot,
    color,
  }: { readonly x: number; readonly y: number; readonly dot: number; readonly color: Color },
): void {
  glyphsOf(text).forEach((glyph, place) => {
    for (let row = 0; row < GLYPH_HEIGHT; row++)
      for (let column = 0; column < GLYPH_WIDTH; column++) {
        if (!isSet(glyph, row, column)) continue;
        const left = x + (place * (GLYPH_WIDTH + 1) + column) * dot;
        const top = y + row * dot;
        fill(picture, [left, top, left + dot, top + dot], color);
      }
  });
}

/**
 * Draws boxes with their labels over a picture: each label has its colour, its letters are capitals of a small font that
 * knows ASCII; others become blocks. Better boxes, which come first, are drawn last and lie on top.
 * @param picture The picture that was looked at, of any channels.
 * @param boxes What an object detector answered.
 * @returns A new RGB picture.
 * @throws InputError for boxes or options that make no sense.
 * @example
 * const picture = await readImage("photo.jpg");
 * await writeFile("boxes.png", await writePng(drawBoxes(picture, await detect(picture))));
 */
export function drawBoxes(
  picture: Picture,
  boxes: readonly DrawnBox[],
  options: DrawBoxesOptions = {},
): Picture {
  assertPicture("drawBoxes", picture);
  assertOptionNames("drawBoxes", options, ["lineWidth", "dotSize"]);
  const { width, height } = picture;
  const { lineWidth = Math.max(1, Math.round(Math.min(width, height) / 240)) } = options;
  const { dotSize: dot = lineWidth } = options;
  assertIntegers("drawBoxes", { lineWidth });
  if (dot !== 0) assertIntegers("drawBoxes", { dotSize: dot });
  if (!Array.isArray(boxes))
    throw new InputError(`drawBoxes: expected a list of { label, box }, got ${typeof boxes}`);
  const wrong = boxes.find((each) => typeof each?.label !== "string");
  if (wrong !== undefined)
    throw new InputError(
      `drawBoxes: expected a label as text beside each box, got ${typeof (wrong as Partial<DrawnBox> | null)?.label}`,
    );
  assertBoxes(
    "drawBoxes",
    boxes.map(({ box }) => box),
  );
  const result: Picture = {
    data: Uint8Array.from(convertChannels(picture, 3).data),
    width,
    height,
    channels: 3,
  };
  for (const { label, score, box } of [...boxes].reverse()) {
    const color = colorOf(label);
    const [left, top, right, bottom] = box.map(Math.round);
    fill(result, [left, top, right, top + lineWidth], color);
    fill(result, [left, bottom - lineWidth, right, bottom], color);
    fill(result, [left, top, left + lineWidth, bottom], color);
    fill(result, [right - lineWidth, top, right, bottom], color);
    if (dot === 0) continue;
    const text = score === undefined ? label : `${label} ${Math.round(score * 100)}%`;
    const tall = (GLYPH_HEIGHT + 2) * dot;
    const y = top >= tall ? top - tall : top; // above the box, or in it at the picture's edge
    const wide = (glyphsOf(text).length * (GLYPH_WIDTH + 1) + 1) * dot;
    fill(result, [left, y, left + wide, y + tall], color);
    const ink: Color = luminance(color) > 140 ? [0, 0, 0] : [255, 255, 255];
    drawText(result, text, { x: left + dot, y: y + dot, dot, color: ink });
  }
  return result;
}
