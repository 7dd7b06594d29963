import { exponential } from "./math";
import { exponentialRow, logarithmOf, maxRow } from "./reduce";
import { addressArgument, argument, forRange, setArgument } from "./threads";

/** Time of one class on one thread. */
const NANOSECONDS: f32 = 2;

function lossRows(from: i32, to: i32): void {
  const targets = addressArgument(1),
    losses = addressArgument(2),
    logSums = addressArgument(3),
    classes = argument(4),
    ignored = argument(5);
  let logits = addressArgument(0) + ((<usize>from * <usize>classes) << 2);
  for (let row = from; row < to; row++) {
    const place = <usize>row << 2,
      target = load<i32>(targets + place),
      largest = maxRow(logits, classes),
      rest = logarithmOf(exponentialRow(logits, 0, classes, largest, false));
    store<f32>(logSums + place, largest + rest);
    const loss: f32 = target == ignored ? 0 : rest - (load<f32>(logits + (<usize>target << 2)) - largest);
    store<f32>(losses + place, loss);
    logits += <usize>classes << 2;
  }
}

/**
 * `−log softmax(logits)[target]` of each row of `[rows, classes]`; a row whose target is `ignored` gives 0.
 * `logSums` `[rows]` keeps ln Σ e^logits for the gradient.
 */
export function crossEntropy(
  logits: usize,
  targets: usize,
  losses: usize,
  logSums: usize,
  rows: i32,
  classes: i32,
  ignored: i32,
): void {
  setArgument(0, logits);
  setArgument(1, targets);
  setArgument(2, losses);
  setArgument(3, logSums);
  setArgument(4, classes);
  setArgument(5, ignored);
  forRange(lossRows, rows, 1, 20 + <f32>classes * NANOSECONDS);
}

function gradientRows(from: i32, to: i32): void {
  const dy = addressArgument(0),
    targets = addressArgument(2),
    logSums = addressArgument(3),
    classes = argument(5),
    ignored = argument(6),
    bytes = <usize>classes << 2;
  let logits = addressArgument(1) + <usize>from * bytes,
    dLogits = addressArgument(4) + <usize>from * bytes;
  for (let row = from; row < to; row++) {
    const target = load<i32>(targets + (<usize>row << 2)),
      gradient = load<f32>(dy + (<usize>row << 2));
    if (target == ignored) memory.fill(dLogits, 0, bytes);
    else {
      probabilities(logits, dLogits, classes, load<f32>(logSums + (<usize>row << 2)), gradient);
      const place = dLogits + (<usize>target << 2);
      store<f32>(place, load<f32>(place) - gradient);
    }
    logits += bytes;
    dLogits += bytes;
  }
}

/** `(softmax(logits) − onehot(target)) · dy[row]`; rows whose target is `ignored` get zeros. */
export function crossEntropyGradient(
  dy: usize,
  logits: usize,
  targets: usize,
  logSums: usize,
  dLogits: usize,
  rows: i32,
  classes: i32,
  ignored: i32,
): void {
  setArgument(0, dy);
  setArgument(1, logits);
  setArgument(2, targets);
  setArgument(3, logSums);
  setArgument(4, dLogits);
  setArgument(5, classes);
  setArgument(6, ignored);
  forRange(gradientRows, rows, 1, 20 + <f32>classes * NANOSECONDS);
}

function probabilities(logits: usize, output: usize, count: i32, shift: f32, factor: f32): void {
  const shifts = f32x4.splat(shift),
    factors = f32x4.splat(factor);
  for (; count >= 4; count -= 4) {
    v128.store(output, f32x4.mul(exponential(f32x4.sub(v128.load(logits), shifts)), factors));
    logits += 16;
    output += 16;
  }
  for (; count > 0; count--) {
    const value = exponential(f32x4.sub(v128.load_splat<f32>(logits), shifts));
    store<f32>(output, f32x4.extract_lane(value, 0) * factor);
    logits += 4;
    output += 4;
  }
}
