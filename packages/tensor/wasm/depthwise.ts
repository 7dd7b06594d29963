// Depthwise convolution with one filter a channel: y[n, y, x, c] = act(bias[c] + Σ x[…, c] · filter[tapY, tapX, c]).
// The geometry is a convolution's: `setConvolution`. Every output is summed tap by tap in the filter's order, whether it is
// computed alone or with its neighbours, so that a row may be cut anywhere.
import { ACTIVATION_SHIFT, activateRow } from "./activation";
import { ACTIVATION, BIAS, tile, tilePixels } from "./depthwise-tiles";
import {
  CHANNELS,
  DILATION_HEIGHT,
  DILATION_WIDTH,
  FILTER_HEIGHT,
  FILTER_WIDTH,
  HEIGHT,
  OUT_HEIGHT,
  OUT_WIDTH,
  PAD_LEFT,
  PAD_TOP,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  WIDTH,
  scratch,
  word,
} from "./layout";
import { activate, multiplyAdd } from "./micro-kernel";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forRange, setArgument } from "./threads";

// Arguments of a job.
export const IMAGE: i32 = 0;
export const OUTPUT: i32 = 1;
export const WEIGHTS: i32 = 2;

/** Nanoseconds of one tap of one channel. */
export const TAP_NANOSECONDS: f32 = 0.12;

/** Packs a filter `[taps, channels]` as `[block of four channels][tap][4]`; turned by half a turn with `turned`. */
export function packDepthwise(filter: usize, packed: usize, turned: i32): void {
  const channels = word(CHANNELS),
    taps = word(FILTER_HEIGHT) * word(FILTER_WIDTH);
  for (let channel = 0; channel < channels; channel += 4)
    for (let tap = 0; tap < taps; tap++) {
      const from = turned ? taps - 1 - tap : tap;
      v128.store(packed, loadPart(filter + (<usize>(from * channels + channel) << 2), channels - channel));
      packed += 16;
    }
}

/** First tap of a window that lies in the image. */
// @ts-ignore: decorator
@inline
export function firstTap(start: i32, dilation: i32): i32 {
  return start >= 0 ? 0 : (dilation - 1 - start) / dilation;
}

/** Tap before which the window lies in the image. */
// @ts-ignore: decorator
@inline
export function endTap(start: i32, dilation: i32, taps: i32, length: i32): i32 {
  return start >= length ? 0 : min(taps, (length - start + dilation - 1) / dilation);
}

/**
 * One output pixel, from channel `channel` on: Σ of the values that a list of (address, place of the weights) names.
 * @param list Eight bytes an entry.
 */
export function gatherPixel(list: usize, count: i32, channel: i32, output: usize, bias: usize, mode: i32): void {
  const channels = word(CHANNELS),
    end = list + (<usize>count << 3),
    blockBytes = <usize>(word(FILTER_HEIGHT) * word(FILTER_WIDTH)) << 4;
  let weights = addressArgument(WEIGHTS) + <usize>(channel >> 2) * blockBytes;
  for (; channel < channels; channel += 4) {
    const rest = channels - channel,
      f = <usize>channel << 2;
    let sum = bias ? loadPart(bias + f, rest) : f32x4.splat(0);
    for (let entry = list; entry < end; entry += 8)
      sum = multiplyAdd(sum, loadPart(load<usize>(entry) + f, rest), v128.load(weights + load<usize>(entry, 4)));
    storePart(output + f, activate(sum, mode), rest);
    weights += blockBytes;
  }
}

/** One output pixel whose window starts at (top, left), from channel `channel` on. */
function forwardPixel(image: usize, top: i32, left: i32, channel: i32, output: usize): void {
  const pixelBytes = <usize>word(CHANNELS) << 2,
    stepY = word(DILATION_HEIGHT),
    stepX = word(DILATION_WIDTH),
    filterWidth = word(FILTER_WIDTH),
    y1 = endTap(top, stepY, word(FILTER_HEIGHT), word(HEIGHT)),
    x0 = firstTap(left, stepX),
    x1 = endTap(left, stepX, filterWidth, word(WIDTH)),
    list = scratch();
  let entry = list;
  for (let tapY = firstTap(top, stepY); tapY < y1; tapY++)
    for (let tapX = x0; tapX < x1; tapX++) {
      const pixel = (top + tapY * stepY) * word(WIDTH) + left + tapX * stepX;
      store<usize>(entry, image + <usize>pixel * pixelBytes);
      store<i32>(entry, (tapY * filterWidth + tapX) << 4, 4);
      entry += 8;
    }
  gatherPixel(list, <i32>((entry - list) >> 3), channel, output, addressArgument(BIAS), argument(ACTIVATION));
}

/** Output pixels `[x, end)` of row `y` of an image. */
function forwardRow(image: usize, y: i32, x: i32, end: i32, output: usize): void {
  const channels = word(CHANNELS),
    width = word(WIDTH),
    filterWidth = word(FILTER_WIDTH),
    stride = word(STRIDE_WIDTH),
    padLeft = word(PAD_LEFT),
    stepY = word(DILATION_HEIGHT),
    pixelBytes = <usize>channels << 2,
    rowBytes = <usize>(stepY * width) * pixelBytes,
    top = y * word(STRIDE_HEIGHT) - word(PAD_TOP),
    firstRow = firstTap(top, stepY),
    rows = max(0, endTap(top, stepY, word(FILTER_HEIGHT), word(HEIGHT)) - firstRow),
    room = width - 1 - (filterWidth - 1) * word(DILATION_WIDTH) + padLeft,
    // columns whose windows lie in the image
    inside = padLeft > 0 ? (padLeft + stride - 1) / stride : 0,
    outside = room >= 0 ? min(end, room / stride + 1) : 0,
    pixels = tilePixels(filterWidth, stride, word(DILATION_WIDTH)),
    weights = addressArgument(WEIGHTS) + (<usize>(firstRow * filterWidth) << 4);
  while (x < end) {
    const left = x * stride - padLeft;
    let done = 1;
    if (x >= inside && x + pixels <= outside && channels >= 4) {
      const p = image + <usize>((top + firstRow * stepY) * width + left) * pixelBytes;
      tile(p, rows, rowBytes, pixelBytes, weights, output);
      done = pixels;
      if (channels & 3)
        for (let i = 0; i < pixels; i++)
          forwardPixel(image, top, left + i * stride, channels & ~3, output + <usize>i * pixelBytes);
    } else forwardPixel(image, top, left, 0, output);
    x += done;
    output += <usize>done * pixelBytes;
  }
}

function forwardPart(from: i32, to: i32): void {
  const outWidth = word(OUT_WIDTH),
    outHeight = word(OUT_HEIGHT),
    channels = word(CHANNELS),
    imageBytes = <usize>(word(HEIGHT) * word(WIDTH) * channels) << 2,
    activation = argument(ACTIVATION) >> ACTIVATION_SHIFT;
  let row = from / outWidth,
    x = from - row * outWidth;
  while (from < to) {
    const end = min(outWidth, x + to - from),
      n = row / outHeight,
      output = addressArgument(OUTPUT) + ((<usize>from * <usize>channels) << 2);
    forwardRow(addressArgument(IMAGE) + <usize>n * imageBytes, row - n * outHeight, x, end, output);
    if (activation) activateRow(activation, output, (end - x) * channels);
    from += end - x;
    row++;
    x = 0;
  }
}

/**
 * `[batch, height, width, channels]` by `[filterHeight, filterWidth, channels]` → `[batch, outHeight, outWidth, channels]`.
 * The gradient of x at stride 1 is this too: of dy, with the filter turned and the padding that is left of a window.
 * @param packed Room for the packed filter: `divideUp(channels, 4) · taps · 16` bytes.
 * @param bias `channels` floats, or 0.
 * @param activation As in a product.
 */
export function depthwise(
  x: usize,
  filter: usize,
  y: usize,
  batch: i32,
  packed: usize,
  turned: i32,
  bias: usize,
  activation: i32,
): void {
  packDepthwise(filter, packed, turned);
  setArgument(IMAGE, x);
  setArgument(OUTPUT, y);
  setArgument(WEIGHTS, packed);
  setArgument(BIAS, bias);
  setArgument(ACTIVATION, activation);
  const taps = word(FILTER_HEIGHT) * word(FILTER_WIDTH);
  forRange(
    forwardPart,
    batch * word(OUT_HEIGHT) * word(OUT_WIDTH),
    4,
    <f32>(taps * word(CHANNELS)) * TAP_NANOSECONDS,
  );
}
