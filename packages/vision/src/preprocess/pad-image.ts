import { InputError } from "@ai/tensor";
import { assertIntegers, assertOneOf, assertOptionNames } from "./checks.js";
import { cropImage } from "./crop-image.js";
import type { Fill } from "./fill.js";
import { assertPicture, type Picture } from "./picture.js";

/** What is put around a picture: a colour, its edge, or its mirror image without or with the edge doubled. */
export type PadMode = "constant" | "edge" | "reflect" | "symmetric";

const MODES: readonly PadMode[] = ["constant", "edge", "reflect", "symmetric"];

/** Options of {@link padImage}: pixels to add at each side. */
export interface PadOptions {
  readonly left?: number;
  readonly top?: number;
  readonly right?: number;
  readonly bottom?: number;
  /** NumPy's names; constant unless it says otherwise. */
  readonly mode?: PadMode;
  /** The colour of the mode constant; 0 unless it says otherwise. */
  readonly fill?: Fill;
}

/**
 * Puts pixels around a picture, as NumPy's `pad`.
 * @returns A new picture, larger by what was added.
 * @throws InputError for a negative number of pixels, an unknown mode, a fill with another mode than constant, or more
 * mirrored pixels than the picture has.
 */
export function padImage(picture: Picture, options: PadOptions): Picture {
  assertPicture("padImage", picture);
  assertOptionNames("padImage", options, ["left", "top", "right", "bottom", "mode", "fill"]);
  const { left = 0, top = 0, right = 0, bottom = 0, mode = "constant", fill } = options;
  assertIntegers("padImage", { left, top, right, bottom }, 0);
  assertOneOf("padImage", "mode", mode, MODES);
  const width = picture.width + left + right;
  const height = picture.height + top + bottom;
  if (mode === "constant")
    return cropImage(picture, { left: -left, top: -top, width, height, fill: fill ?? 0 });
  if (fill !== undefined)
    throw new InputError(`padImage: expected no fill with mode ${mode}, got one; it is for mode constant`);
  const columns = positions(picture.width, left, width, mode);
  const rows = positions(picture.height, top, height, mode);
  const { channels } = picture;
  const data = new Uint8Array(width * height * channels);
  let target = 0;
  for (const row of rows)
    for (const column of columns) {
      const source = (row * picture.width + column) * channels;
      for (let channel = 0; channel < channels; channel++) data[target++] = picture.data[source + channel];
    }
  return { data, width, height, channels };
}

/** Which row or column of the picture each of the result is. */
function positions(length: number, before: number, total: number, mode: PadMode): Int32Array {
  const most = { edge: Number.POSITIVE_INFINITY, reflect: length - 1, symmetric: length }[mode as "edge"];
  if (before > most || total - length - before > most)
    throw new InputError(
      `padImage: expected at most ${most} pixels to ${mode} from ${length}, got ${Math.max(before, total - length - before)}`,
    );
  return Int32Array.from({ length: total }, (_, index) => {
    const at = index - before;
    if (mode === "edge") return Math.min(length - 1, Math.max(0, at));
    const doubled = mode === "symmetric" ? 1 : 0;
    if (at < 0) return -at - doubled;
    return at < length ? at : 2 * (length - 1) - at + doubled;
  });
}
