// A convolution is a matrix product whose A is never built: these functions pack the rows of A that a block needs
// straight from the image. Images are [batch, height, width, channels].
import {
  CHANNELS,
  DILATION_HEIGHT,
  DILATION_WIDTH,
  FILTER_HEIGHT,
  FILTER_WIDTH,
  HEIGHT,
  IMAGE,
  OUT_HEIGHT,
  OUT_WIDTH,
  PAD_LEFT,
  PAD_TOP,
  PIXEL_CHANNELS,
  STRIDE_HEIGHT,
  STRIDE_WIDTH,
  WIDTH,
  ZEROS,
  address,
  setWord,
  word,
} from "./layout";
import { interleaveRows } from "./pack";

/** Sets the geometry that the next convolution reads; `image` is what rows of A are gathered from. */
export function setConvolution(
  image: usize,
  height: i32,
  width: i32,
  channels: i32,
  outHeight: i32,
  outWidth: i32,
  filterHeight: i32,
  filterWidth: i32,
  strideHeight: i32,
  strideWidth: i32,
  padTop: i32,
  padLeft: i32,
  dilationHeight: i32,
  dilationWidth: i32,
): void {
  setWord(IMAGE, <i32>image);
  setWord(HEIGHT, height);
  setWord(WIDTH, width);
  setWord(CHANNELS, channels);
  setWord(OUT_HEIGHT, outHeight);
  setWord(OUT_WIDTH, outWidth);
  setWord(FILTER_HEIGHT, filterHeight);
  setWord(FILTER_WIDTH, filterWidth);
  setWord(STRIDE_HEIGHT, strideHeight);
  setWord(STRIDE_WIDTH, strideWidth);
  setWord(PAD_TOP, padTop);
  setWord(PAD_LEFT, padLeft);
  setWord(DILATION_HEIGHT, dilationHeight);
  setWord(DILATION_WIDTH, dilationWidth);
  setWord(PIXEL_CHANNELS, channels);
}

/** Narrows the image to `channels` of each pixel's, from `image` on. */
export function setGroup(image: usize, channels: i32): void {
  setWord(IMAGE, <i32>image);
  setWord(CHANNELS, channels);
}

/** Output pixels `[row, row + rows)` × patch elements `[step, step + depth)` in panels of four; `places`: 64 bytes. */
export function packPatches(row: i32, rows: i32, step: i32, depth: i32, output: usize, places: usize): void {
  const image = address(IMAGE),
    height = word(HEIGHT),
    width = word(WIDTH),
    channels = word(CHANNELS),
    pixel = word(PIXEL_CHANNELS),
    outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    filterWidth = word(FILTER_WIDTH),
    dilationHeight = word(DILATION_HEIGHT),
    dilationWidth = word(DILATION_WIDTH);
  const lastTapHeight = (word(FILTER_HEIGHT) - 1) * dilationHeight,
    lastTapWidth = (filterWidth - 1) * dilationWidth;
  const group = dilationWidth == 1 && pixel == channels ? filterWidth : 1; // taps of a filter row that are contiguous in memory
  const run = group * channels,
    runsPerFilterRow = filterWidth / group;
  let n = row / (outHeight * outWidth),
    rest = row - n * outHeight * outWidth,
    y = rest / outWidth,
    x = rest - y * outWidth;
  const firstRun = step / run,
    firstTapY = firstRun / runsPerFilterRow,
    firstGroup = firstRun - firstTapY * runsPerFilterRow,
    firstOffset = step - firstRun * run;
  for (let i = 0; i < rows; i += 4) {
    const left = min(4, rows - i);
    let inside = left == 4; // every tap of all four rows lies in the image
    for (let r = 0; r < left; r++) {
      const place = places + (<usize>r << 4),
        top = y * word(STRIDE_HEIGHT) - word(PAD_TOP),
        start = x * word(STRIDE_WIDTH) - word(PAD_LEFT);
      store<i32>(place, top);
      store<i32>(place, start, 4);
      store<usize>(place, image + ((<usize>((n * height + top) * width + start) * <usize>pixel) << 2), 8);
      inside =
        inside && top >= 0 && start >= 0 && top + lastTapHeight < height && start + lastTapWidth < width;
      x++;
      if (x == outWidth) {
        x = 0;
        y++;
        if (y == outHeight) {
          y = 0;
          n++;
        }
      }
    }
    let done = 0,
      tapY = firstTapY,
      g = firstGroup,
      offset = firstOffset,
      target = output;
    while (done < depth) {
      const length = min(run - offset, depth - done);
      const move =
        (<usize>((tapY * dilationHeight * width + g * group * dilationWidth) * pixel + offset)) << 2;
      if (inside)
        interleaveRows(
          load<usize>(places, 8) + move,
          load<usize>(places, 24) + move,
          load<usize>(places, 40) + move,
          load<usize>(places, 56) + move,
          length,
          target,
        );
      else
        for (let r = 0; r < 4; r++) {
          const place = places + (<usize>r << 4);
          let low = 0,
            high = 0; // elements of this run that lie in the image
          if (r < left) {
            const tapRow = load<i32>(place) + tapY * dilationHeight,
              tapColumn = load<i32>(place, 4) + g * group * dilationWidth;
            if (tapRow >= 0 && tapRow < height) {
              low = max(0, -tapColumn) * channels;
              high = min(group, width - tapColumn) * channels;
            }
          }
          low = min(max(low - offset, 0), length);
          high = min(max(high - offset, low), length);
          const lane = target + (<usize>r << 2);
          zeroLane(low, lane);
          copyLane(load<usize>(place, 8) + move + (<usize>low << 2), high - low, lane + (<usize>low << 4));
          zeroLane(length - high, lane + (<usize>high << 4));
        }
      done += length;
      target += <usize>length << 4;
      offset = 0;
      g++;
      if (g == runsPerFilterRow) {
        g = 0;
        tapY++;
      }
    }
    output += <usize>depth << 4;
  }
}

function zeroLane(count: i32, output: usize): void {
  for (let k = 0; k < count; k++) {
    store<f32>(output, 0);
    output += 16;
  }
}

function copyLane(source: usize, count: i32, output: usize): void {
  for (let k = 0; k < count; k++) {
    store<f32>(output, load<f32>(source));
    source += 4;
    output += 16;
  }
}

/** Where the gradient of tap (tapY, tapX) of the input pixel at `place` lies, or zeros. */
// @ts-ignore: decorator
@inline
function gradientSource(place: usize, tapY: i32, tapX: i32, offset: i32): usize {
  const top = load<i32>(place, 4) - tapY * word(DILATION_HEIGHT),
    start = load<i32>(place, 8) - tapX * word(DILATION_WIDTH);
  if (top < 0 || start < 0) return ZEROS;
  const strideHeight = word(STRIDE_HEIGHT),
    strideWidth = word(STRIDE_WIDTH),
    y = strideHeight == 1 ? top : top / strideHeight, // a division costs more than the test
    x = strideWidth == 1 ? start : start / strideWidth;
  if (y * strideHeight != top || x * strideWidth != start || y >= word(OUT_HEIGHT) || x >= word(OUT_WIDTH)) return ZEROS;
  const pixel = (load<i32>(place) * word(OUT_HEIGHT) + y) * word(OUT_WIDTH) + x;
  return address(IMAGE) + ((<usize>pixel * <usize>word(PIXEL_CHANNELS) + <usize>offset) << 2);
}

/** Input pixels `[row, row + rows)` × (tap, output channel): the gradients each pixel took part in. */
export function packScattered(row: i32, rows: i32, step: i32, depth: i32, output: usize, places: usize): void {
  const height = word(HEIGHT),
    width = word(WIDTH),
    channels = word(CHANNELS),
    filterWidth = word(FILTER_WIDTH),
    end = step + depth;
  let n = row / (height * width),
    rest = row - n * height * width,
    y = rest / width,
    x = rest - y * width;
  for (let i = 0; i < rows; i += 4) {
    const left = min(4, rows - i);
    for (let r = 0; r < left; r++) {
      const place = places + (<usize>r << 4);
      store<i32>(place, n);
      store<i32>(place, y + word(PAD_TOP), 4);
      store<i32>(place, x + word(PAD_LEFT), 8);
      x++;
      if (x == width) {
        x = 0;
        y++;
        if (y == height) {
          y = 0;
          n++;
        }
      }
    }
    let element = step,
      target = output;
    while (element < end) {
      const tap = element / channels,
        offset = element - tap * channels,
        length = min(channels - offset, end - element),
        tapY = tap / filterWidth,
        tapX = tap - tapY * filterWidth;
      interleaveRows(
        gradientSource(places, tapY, tapX, offset),
        left > 1 ? gradientSource(places + 16, tapY, tapX, offset) : ZEROS,
        left > 2 ? gradientSource(places + 32, tapY, tapX, offset) : ZEROS,
        left > 3 ? gradientSource(places + 48, tapY, tapX, offset) : ZEROS,
        length,
        target,
      );
      element += length;
      target += <usize>length << 4;
    }
    output += <usize>depth << 4;
  }
}

/** Patch elements `[row, row + rows)` × output pixels `[step, step + depth)`. */
export function packPatchesTransposed(row: i32, rows: i32, step: i32, depth: i32, output: usize): void {
  const channels = word(CHANNELS);
  for (let i = 0; i < rows; i += 4) {
    const left = min(4, rows - i),
      element = row + i,
      channel = element % channels;
    if (left == 4 && channel + 4 <= channels) packFourChannels(element, step, depth, output);
    else
      for (let r = 0; r < 4; r++) {
        const lane = output + (<usize>r << 2);
        if (r < left) packOneChannel(element + r, step, depth, lane);
        else zeroLane(depth, lane);
      }
    output += <usize>depth << 4;
  }
}

/** Address of patch element `element` at column 0 of image row `n`, `rowInImage`. */
// @ts-ignore: decorator
@inline
function rowStart(n: i32, rowInImage: i32, channel: i32): usize {
  return (
    address(IMAGE) +
    ((<usize>((n * word(HEIGHT) + rowInImage) * word(WIDTH)) * <usize>word(PIXEL_CHANNELS) + <usize>channel) << 2)
  );
}

/** First output column whose tap lies in the image, for a tap that starts at `start`. */
// @ts-ignore: decorator
@inline
function firstInside(start: i32, stride: i32): i32 {
  return start >= 0 ? 0 : (stride - 1 - start) / stride;
}

/** Output columns before which the tap lies in the image. */
// @ts-ignore: decorator
@inline
function endInside(start: i32, stride: i32, width: i32): i32 {
  return start >= width ? 0 : (width - start + stride - 1) / stride;
}

function packFourChannels(element: i32, step: i32, depth: i32, output: usize): void {
  const channels = word(CHANNELS),
    outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    stride = word(STRIDE_WIDTH);
  const tap = element / channels,
    channel = element - tap * channels,
    tapY = tap / word(FILTER_WIDTH),
    tapX = tap - tapY * word(FILTER_WIDTH);
  const start = tapX * word(DILATION_WIDTH) - word(PAD_LEFT),
    pixel = word(PIXEL_CHANNELS),
    move = <usize>(stride * pixel) << 2;
  let n = step / (outHeight * outWidth),
    rest = step - n * outHeight * outWidth,
    y = rest / outWidth,
    x = rest - y * outWidth,
    done = 0;
  const low = firstInside(start, stride),
    high = endInside(start, stride, word(WIDTH));
  while (done < depth) {
    const rowInImage = y * word(STRIDE_HEIGHT) - word(PAD_TOP) + tapY * word(DILATION_HEIGHT),
      end = min(outWidth, x + depth - done),
      inside = rowInImage >= 0 && rowInImage < word(HEIGHT),
      from = inside ? min(max(low, x), end) : end,
      to = inside ? min(max(high, from), end) : end;
    done += end - x;
    for (; x < from; x++) {
      v128.store(output, f32x4.splat(0));
      output += 16;
    }
    let source = rowStart(n, rowInImage, channel) + (<usize>((x * stride + start) * pixel) << 2);
    for (; x < to; x++) {
      v128.store(output, v128.load(source));
      source += move;
      output += 16;
    }
    for (; x < end; x++) {
      v128.store(output, f32x4.splat(0));
      output += 16;
    }
    x = 0;
    y++;
    if (y == outHeight) {
      y = 0;
      n++;
    }
  }
}

function packOneChannel(element: i32, step: i32, depth: i32, output: usize): void {
  const channels = word(CHANNELS),
    outHeight = word(OUT_HEIGHT),
    outWidth = word(OUT_WIDTH),
    stride = word(STRIDE_WIDTH);
  const tap = element / channels,
    channel = element - tap * channels,
    tapY = tap / word(FILTER_WIDTH),
    tapX = tap - tapY * word(FILTER_WIDTH);
  const start = tapX * word(DILATION_WIDTH) - word(PAD_LEFT),
    pixel = word(PIXEL_CHANNELS),
    move = <usize>(stride * pixel) << 2;
  let n = step / (outHeight * outWidth),
    rest = step - n * outHeight * outWidth,
    y = rest / outWidth,
    x = rest - y * outWidth,
    done = 0;
  const low = firstInside(start, stride),
    high = endInside(start, stride, word(WIDTH));
  while (done < depth) {
    const rowInImage = y * word(STRIDE_HEIGHT) - word(PAD_TOP) + tapY * word(DILATION_HEIGHT),
      end = min(outWidth, x + depth - done),
      inside = rowInImage >= 0 && rowInImage < word(HEIGHT),
      from = inside ? min(max(low, x), end) : end,
      to = inside ? min(max(high, from), end) : end;
    done += end - x;
    for (; x < from; x++) {
      store<f32>(output, 0);
      output += 16;
    }
    let source = rowStart(n, rowInImage, channel) + (<usize>((x * stride + start) * pixel) << 2);
    for (; x < to; x++) {
      store<f32>(output, load<f32>(source));
      source += move;
      output += 16;
    }
    for (; x < end; x++) {
      store<f32>(output, 0);
      output += 16;
    }
    x = 0;
    y++;
    if (y == outHeight) {
      y = 0;
      n++;
    }
  }
}
