// Connectionist temporal classification. An item of a batch is one task: its steps follow each other, and all states of
// a step are computed four at a time. States are blank, label, blank, label … blank: 2 · labels + 1.
import { divideUp } from "./layout";
import { exponential, horizontalSum, logarithm } from "./math";
import { addressArgument, argument, forTasks, setArgument, threadIndex } from "./threads";

/** Nanoseconds that a state of a step takes on one thread. */
const STATE_NANOSECONDS: f32 = 8;
/** Floats of −∞ on both sides of a row of states: their neighbours outside. */
const MARGIN: i32 = 4;
/** Stands in for a largest value of −∞, so that no difference is NaN. */
const LOWEST: f32 = -3.0e38;

/** Bytes of working memory a thread needs for targets of `labels` labels. */
export function ctcBytes(labels: i32): i32 {
  return 5 * rowBytes(2 * labels + 1);
}

// @ts-ignore: decorator
@inline
function rowBytes(states: i32): i32 {
  return (divideUp(states, 4) * 4 + 2 * MARGIN) << 2;
}

/** Fills a row of states and its margins. */
function fillRow(row: usize, states: i32, value: f32): void {
  const end = row + <usize>rowBytes(states) - (MARGIN << 2);
  for (let p = row - (MARGIN << 2); p < end; p += 16) v128.store(p, f32x4.splat(value));
}

/** Byte offsets of the states' classes, and 0 where a state can be reached from the label before, else −∞. */
function prepare(targets: usize, labels: i32, blank: i32, offsets: usize, skips: usize): void {
  fillRow(skips, 2 * labels + 1, -Infinity);
  for (let state = 0; state <= 2 * labels; state++) {
    const place = <usize>state << 2;
    let label = blank;
    if (state & 1) {
      const target = targets + (<usize>(state >> 1) << 2);
      label = load<i32>(target);
      if (state > 1 && label != load<i32>(target - 4)) store<f32>(skips + place, 0);
    }
    store<i32>(offsets + place, label << 2);
  }
}

/** Log-probabilities of each state's class. */
function gatherStates(row: usize, offsets: usize, states: i32, output: usize): void {
  for (let state = 0; state < states; state++) {
    store<f32>(output, load<f32>(row + <usize>load<i32>(offsets)));
    offsets += 4;
    output += 4;
  }
}

/** `ln(eᵃ + eᵇ + eᶜ)` of four floats; −∞ for three of them. */
// @ts-ignore: decorator
@inline
function logSum(a: v128, b: v128, c: v128): v128 {
  const m = f32x4.pmax(f32x4.pmax(f32x4.pmax(a, b), c), f32x4.splat(LOWEST));
  const sum = f32x4.add(
    f32x4.add(exponential(f32x4.sub(a, m)), exponential(f32x4.sub(b, m))),
    exponential(f32x4.sub(c, m)),
  );
  return f32x4.add(m, logarithm(sum));
}

/** The largest of four, NaN if one of them is. */
function largestOf(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/** One step forward. @returns the largest of `next` */
function stepForward(previous: usize, emissions: usize, skips: usize, next: usize, states: i32): f32 {
  let largest = f32x4.splat(-Infinity);
  const end = previous + (<usize>states << 2);
  while (previous < end) {
    const skip = f32x4.add(v128.load(previous - 8), v128.load(skips));
    const sum = logSum(v128.load(previous), v128.load(previous - 4), skip);
    const value = f32x4.add(sum, v128.load(emissions));
    v128.store(next, value);
    largest = f32x4.max(largest, value);
    previous += 16;
    emissions += 16;
    skips += 16;
    next += 16;
  }
  return largestOf(largest);
}

/** One step backward: `weighted` is the row of the step after it with that step's log-probabilities added. */
function stepBackward(weighted: usize, skips: usize, next: usize, states: i32): f32 {
  let largest = f32x4.splat(-Infinity);
  const end = weighted + (<usize>states << 2);
  while (weighted < end) {
    const skip = f32x4.add(v128.load(weighted, 8), v128.load(skips, 8));
    const value = logSum(v128.load(weighted), v128.load(weighted, 4), skip);
    v128.store(next, value);
    largest = f32x4.max(largest, value);
    weighted += 16;
    skips += 16;
    next += 16;
  }
  return largestOf(largest);
}

/** Subtracts a finite `shift` from a row. @returns what was subtracted */
function shiftRow(row: usize, states: i32, shift: f32): f32 {
  if (!(shift > -Infinity && shift < Infinity)) return 0;
  const shifts = f32x4.splat(shift),
    end = row + (<usize>states << 2);
  for (; row < end; row += 16) v128.store(row, f32x4.sub(v128.load(row), shifts));
  return shift;
}

function addRows(a: usize, b: usize, output: usize, states: i32): void {
  const end = a + (<usize>states << 2);
  while (a < end) {
    v128.store(output, f32x4.add(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    output += 16;
  }
}

/** Turns `alphas + betas` into probabilities of the states. */
function posteriors(alphas: usize, betas: usize, output: usize, states: i32): void {
  let largest: f32 = -Infinity;
  for (let state = 0; state < states; state++) {
    const place = <usize>state << 2,
      value = load<f32>(alphas + place) + load<f32>(betas + place);
    store<f32>(output + place, value);
    largest = max(largest, value);
  }
  const shift = f32x4.splat(max(largest, LOWEST)),
    end = output + (<usize>states << 2);
  let sums = f32x4.splat(0);
  for (let p = output; p < end; p += 16) {
    const value = exponential(f32x4.sub(v128.load(p), shift));
    v128.store(p, value);
    sums = f32x4.add(sums, value);
  }
  const factor = f32x4.splat(1 / horizontalSum(sums));
  for (let p = output; p < end; p += 16) v128.store(p, f32x4.mul(v128.load(p), factor));
}

function forwardItem(item: i32, _: i32): void {
  const time = argument(6),
    classes = argument(7),
    labels = argument(8),
    blank = argument(9),
    steps = load<i32>(addressArgument(2) + (<usize>item << 2)),
    length = load<i32>(addressArgument(3) + (<usize>item << 2)),
    all = 2 * labels + 1,
    states = 2 * length + 1,
    bytes = <usize>rowBytes(all);
  const offsets = addressArgument(10) + <usize>threadIndex() * 5 * bytes + (MARGIN << 2),
    skips = offsets + bytes,
    emissions = skips + bytes;
  let previous = emissions + bytes,
    next = previous + bytes,
    row = addressArgument(0) + ((<usize>item * <usize>time * <usize>classes) << 2),
    alphas = addressArgument(5) + ((<usize>item * <usize>time * <usize>all) << 2);
  prepare(addressArgument(1) + ((<usize>item * <usize>labels) << 2), length, blank, offsets, skips);
  fillRow(emissions, states, -Infinity);
  fillRow(previous, states, -Infinity);
  fillRow(next, states, -Infinity);
  // before the first step all paths stand in front of the first two states
  let total: f64 = 0;
  store<f32>(previous, 0);
  for (let step = 0; step < steps; step++) {
    gatherStates(row, offsets, states, emissions);
    let largest: f32;
    if (step == 0) {
      fillRow(next, states, -Infinity);
      largest = load<f32>(emissions);
      store<f32>(next, largest);
      if (length > 0) {
        const first = load<f32>(emissions, 4);
        store<f32>(next, first, 4);
        largest = max(largest, first);
      }
    } else largest = stepForward(previous, emissions, skips, next, states);
    total += <f64>shiftRow(next, states, largest);
    memory.copy(alphas, next, <usize>states << 2);
    fillFloats(alphas + (<usize>states << 2), all - states, -Infinity);
    const other = previous;
    previous = next;
    next = other;
    row += <usize>classes << 2;
    alphas += <usize>all << 2;
  }
  fillFloats(alphas, (time - steps) * all, -Infinity);
  const last = previous + (<usize>(states - 1) << 2),
    nothing = f32x4.splat(-Infinity),
    before = length > 0 ? v128.load_splat<f32>(last - 4) : nothing,
    end = logSum(v128.load_splat<f32>(last), before, nothing);
  store<f32>(addressArgument(4) + (<usize>item << 2), <f32>-(total + <f64>f32x4.extract_lane(end, 0)));
}

function fillFloats(p: usize, count: i32, value: f32): void {
  for (; count >= 4; count -= 4) {
    v128.store(p, f32x4.splat(value));
    p += 16;
  }
  for (; count > 0; count--) {
    store<f32>(p, value);
    p += 4;
  }
}

/**
 * `−ln p(targets | logProbabilities)` of each item of `[batch, time, classes]`, targets `[batch, labels]`.
 * `alphas` `[batch, time, 2 · labels + 1]` are the forward variables, the largest of each row subtracted.
 * @param workspace {@link ctcBytes} for each thread
 */
export function ctcLoss(
  logProbabilities: usize,
  targets: usize,
  inputLengths: usize,
  targetLengths: usize,
  losses: usize,
  alphas: usize,
  batch: i32,
  time: i32,
  classes: i32,
  labels: i32,
  blank: i32,
  workspace: usize,
): void {
  setArgument(0, logProbabilities);
  setArgument(1, targets);
  setArgument(2, inputLengths);
  setArgument(3, targetLengths);
  setArgument(4, losses);
  setArgument(5, alphas);
  setArgument(6, time);
  setArgument(7, classes);
  setArgument(8, labels);
  setArgument(9, blank);
  setArgument(10, workspace);
  const states = 2 * labels + 1;
  forTasks(forwardItem, batch, <f32>batch * <f32>time * <f32>states * STATE_NANOSECONDS);
}

/** `e^log-probability · factor` of one step. */
function expectedRow(row: usize, output: usize, classes: i32, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (; classes >= 4; classes -= 4) {
    v128.store(output, f32x4.mul(exponential(v128.load(row)), factors));
    row += 16;
    output += 16;
  }
  for (; classes > 0; classes--) {
    store<f32>(output, f32x4.extract_lane(exponential(v128.load_splat<f32>(row)), 0) * factor);
    row += 4;
    output += 4;
  }
}

/** Subtracts each state's probability from its class. */
function subtractStates(probabilities: usize, offsets: usize, states: i32, output: usize, factor: f32): void {
  for (let state = 0; state < states; state++) {
    const place = output + <usize>load<i32>(offsets);
    store<f32>(place, load<f32>(place) - load<f32>(probabilities) * factor);
    offsets += 4;
    probabilities += 4;
  }
}

function backwardItem(item: i32, _: i32): void {
  const time = argument(6),
    classes = argument(7),
    labels = argument(8),
    steps = load<i32>(addressArgument(2) + (<usize>item << 2)),
    length = load<i32>(addressArgument(3) + (<usize>item << 2)),
    loss = load<f32>(addressArgument(4) + (<usize>item << 2)),
    factor = load<f32>(addressArgument(11) + (<usize>item << 2)),
    all = 2 * labels + 1,
    states = 2 * length + 1,
    bytes = <usize>rowBytes(all),
    rowLength = <usize>classes << 2,
    start = <usize>item * <usize>time * rowLength,
    gradients = addressArgument(12) + start;
  fillFloats(gradients + <usize>steps * rowLength, (time - steps) * classes, 0);
  if (loss == Infinity) {
    fillFloats(gradients, steps * classes, argument(13) ? 0 : NaN);
    return;
  }
  const offsets = addressArgument(10) + <usize>threadIndex() * 5 * bytes + (MARGIN << 2),
    skips = offsets + bytes,
    emissions = skips + bytes,
    betas = emissions + bytes,
    weighted = betas + bytes;
  prepare(addressArgument(1) + ((<usize>item * <usize>labels) << 2), length, argument(9), offsets, skips);
  fillRow(emissions, states, -Infinity);
  fillRow(betas, states, -Infinity);
  fillRow(weighted, states, -Infinity);
  for (let step = steps - 1; step >= 0; step--) {
    const row = addressArgument(0) + start + <usize>step * rowLength,
      output = gradients + <usize>step * rowLength;
    if (step == steps - 1) {
      const last = betas + (<usize>(states - 1) << 2);
      store<f32>(last, 0);
      if (length > 0) store<f32>(last - 4, 0);
    } else {
      gatherStates(row + rowLength, offsets, states, emissions);
      addRows(betas, emissions, weighted, states);
      shiftRow(betas, states, stepBackward(weighted, skips, betas, states));
    }
    const alphas = addressArgument(5) + ((<usize>item * <usize>time + <usize>step) * <usize>all << 2);
    posteriors(alphas, betas, weighted, states);
    expectedRow(row, output, classes, factor);
    subtractStates(weighted, offsets, states, output, factor);
    fillRow(weighted, states, -Infinity);
  }
}

/**
 * `(e^logProbabilities − p(class at this step | targets)) · dy`, zeros after an item's last step. An item whose loss is
 * infinite gets NaN, or zeros with `zeroInfinity`.
 */
export function ctcLossGradient(
  dy: usize,
  logProbabilities: usize,
  targets: usize,
  inputLengths: usize,
  targetLengths: usize,
  losses: usize,
  alphas: usize,
  output: usize,
  batch: i32,
  time: i32,
  classes: i32,
  labels: i32,
  blank: i32,
  zeroInfinity: i32,
  workspace: usize,
): void {
  setArgument(0, logProbabilities);
  setArgument(1, targets);
  setArgument(2, inputLengths);
  setArgument(3, targetLengths);
  setArgument(4, losses);
  setArgument(5, alphas);
  setArgument(6, time);
  setArgument(7, classes);
  setArgument(8, labels);
  setArgument(9, blank);
  setArgument(10, workspace);
  setArgument(11, dy);
  setArgument(12, output);
  setArgument(13, zeroInfinity);
  const states = 2 * labels + 1;
  const cost = <f32>time * (<f32>states * STATE_NANOSECONDS * 1.5 + <f32>classes);
  forTasks(backwardItem, batch, <f32>batch * cost);
}
