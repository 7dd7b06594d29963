import { divideUp } from "./layout";
import { multiplyAdd } from "./micro-kernel";
import { loadPart, storePart } from "./partial";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Floats of a row that one task carries through all steps. */
const STRIP: i32 = 64;
/** Time of a step of one element on one thread, roughly. */
const STEP_NANOSECONDS: f32 = 0.5;

/** Strips `[from, to)`, counted through all sequences: `h[t] = a[t] · h[t − 1] + b[t]`. */
function scanStrips(from: i32, to: i32): void {
  const length = argument(3),
    inner = argument(4),
    reverse = argument(5),
    strips = divideUp(inner, STRIP),
    rowBytes = <usize>inner << 2;
  for (let strip = from; strip < to; strip++) {
    const sequence = strip / strips,
      column = (strip % strips) * STRIP,
      width = min(STRIP, inner - column);
    const first = ((<usize>sequence * <usize>length * <usize>inner) << 2) + (<usize>column << 2);
    let offset = reverse ? first + <usize>(length - 1) * rowBytes : first,
      before = offset;
    for (let step = 0; step < length; step++) {
      scanRow(addressArgument(0) + offset, addressArgument(1) + offset, addressArgument(2) + offset, width, step ? addressArgument(2) + before : 0);
      before = offset;
      offset = reverse ? offset - rowBytes : offset + rowBytes;
    }
  }
}

/** One step of one strip; `before` is the row of the step before, 0 at the first. */
function scanRow(a: usize, b: usize, h: usize, width: i32, before: usize): void {
  for (; width > 0; width -= 4) {
    let value = loadPart(b, width);
    if (before) {
      value = multiplyAdd(value, loadPart(a, width), loadPart(before, width));
      before += 16;
    }
    storePart(h, value, width);
    a += 16;
    b += 16;
    h += 16;
  }
}

/** `h[t] = a[t] · h[t − 1] + b[t]` from 0 on, along the middle axis of `[outer, length, inner]`; from the end with `reverse`. */
export function linearScan(a: usize, b: usize, h: usize, outer: i32, length: i32, inner: i32, reverse: i32): void {
  setArgument(0, a);
  setArgument(1, b);
  setArgument(2, h);
  setArgument(3, length);
  setArgument(4, inner);
  setArgument(5, reverse);
  forRange(scanStrips, outer * divideUp(inner, STRIP), 1, <f32>(length * min(inner, STRIP)) * STEP_NANOSECONDS);
}
