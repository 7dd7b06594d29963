import { InputError } from "@ai/tensor";

/** A level, or one for each channel. */
export type Fill = number | readonly number[];

/** Fills pixels with a colour. @throws InputError for levels outside [0, 255] or another number of them. */
export function fillPixels(operation: string, data: Uint8Array, channels: number, fill: Fill): void {
  const color = typeof fill === "number" ? new Array<number>(channels).fill(fill) : fill;
  if (
    !Array.isArray(color) ||
    color.length !== channels ||
    !color.every((level) => Number.isInteger(level) && level >= 0 && level <= 255)
  )
    throw new InputError(
      `${operation}: expected fill as an integer level in [0, 255] or ${channels} of them, got ${JSON.stringify(fill)}`,
    );
  if (color.every((level) => level === color[0])) data.fill(color[0]);
  else for (let at = 0; at < data.length; at++) data[at] = color[at % channels];
}
