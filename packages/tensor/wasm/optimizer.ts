import { loadPart, storePart } from "./partial";
import { addressArgument, argument, floatArgument, forRange, setArgument, setFloatArgument } from "./threads";

// Updates in place. Coefficients come as doubles and are rounded once: 1 − 0.999 in float32 would be off by 1e-5.

/** Time of an element on one thread. */
const ADAMW_NANOSECONDS: f32 = 1.5;
const SGD_NANOSECONDS: f32 = 0.7;

function adamwPart(from: i32, to: i32): void {
  const parameter = addressArgument(0),
    gradient = addressArgument(1),
    mean = addressArgument(2),
    meanSquare = addressArgument(3),
    largest = addressArgument(4),
    penalty = floatArgument(6);
  const signs = f32x4.splat(floatArgument(5)),
    penalties = f32x4.splat(penalty),
    inflows1 = f32x4.splat(floatArgument(7)),
    betas2 = f32x4.splat(floatArgument(8)),
    inflows2 = f32x4.splat(floatArgument(9)),
    epsilons = f32x4.splat(floatArgument(10)),
    steps = f32x4.splat(floatArgument(11)),
    scales = f32x4.splat(floatArgument(12)),
    decays = f32x4.splat(floatArgument(13));
  for (let i = from; i < to; i += 4) {
    const f = <usize>i << 2,
      left = to - i;
    const p = loadPart(parameter + f, left);
    let g = f32x4.mul(loadPart(gradient + f, left), signs);
    if (penalty != 0) g = f32x4.add(g, f32x4.mul(p, penalties));
    let m = loadPart(mean + f, left);
    m = f32x4.add(m, f32x4.mul(inflows1, f32x4.sub(g, m)));
    let v = loadPart(meanSquare + f, left);
    v = f32x4.add(f32x4.mul(betas2, v), f32x4.mul(f32x4.mul(inflows2, g), g));
    storePart(mean + f, m, left);
    storePart(meanSquare + f, v, left);
    if (largest) {
      v = f32x4.max(loadPart(largest + f, left), v);
      storePart(largest + f, v, left);
    }
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v), scales), epsilons);
    const moved = f32x4.sub(f32x4.mul(decays, p), f32x4.div(f32x4.mul(steps, m), denominator));
    storePart(parameter + f, moved, left);
  }
}

/**
 * One step of AdamW or Adam: `m += inflow1 (g − m)`, `v = beta2 v + inflow2 g²`,
 * `p = decay p − stepSize m / (√v / denominatorScale + epsilon)`. `largest` (AMSGrad) at address 0 is absent;
 * `penalty` times p joins the gradient, `sign` −1 climbs.
 */
export function adamwUpdate(
  parameter: usize,
  gradient: usize,
  mean: usize,
  meanSquare: usize,
  largest: usize,
  count: i32,
  inflow1: f64,
  beta2: f64,
  inflow2: f64,
  epsilon: f64,
  stepSize: f64,
  denominatorScale: f64,
  decay: f64,
  penalty: f64,
  sign: f64,
): void {
  setArgument(0, parameter);
  setArgument(1, gradient);
  setArgument(2, mean);
  setArgument(3, meanSquare);
  setArgument(4, largest);
  setFloatArgument(5, <f32>sign);
  setFloatArgument(6, <f32>penalty);
  setFloatArgument(7, <f32>inflow1);
  setFloatArgument(8, <f32>beta2);
  setFloatArgument(9, <f32>inflow2);
  setFloatArgument(10, <f32>epsilon);
  setFloatArgument(11, <f32>stepSize);
  setFloatArgument(12, <f32>denominatorScale);
  setFloatArgument(13, <f32>decay);
  forRange(adamwPart, count, 64, ADAMW_NANOSECONDS);
}

function sgdPart(from: i32, to: i32): void {
  const parameter = addressArgument(0),
    gradient = addressArgument(1),
    buffer = addressArgument(2),
    nesterov = argument(3),
    weightDecay = floatArgument(5);
  const signs = f32x4.splat(floatArgument(4)),
    decays = f32x4.splat(weightDecay),
    momenta = f32x4.splat(floatArgument(6)),
    inflows = f32x4.splat(floatArgument(7)),
    rates = f32x4.splat(floatArgument(8));
  for (let i = from; i < to; i += 4) {
    const f = <usize>i << 2,
      left = to - i;
    const p = loadPart(parameter + f, left);
    let step = f32x4.mul(loadPart(gradient + f, left), signs);
    if (weightDecay != 0) step = f32x4.add(step, f32x4.mul(p, decays));
    if (buffer) {
      const moved = f32x4.add(
        f32x4.mul(momenta, loadPart(buffer + f, left)),
        f32x4.mul(inflows, step),
      );
      storePart(buffer + f, moved, left);
      step = nesterov ? f32x4.add(step, f32x4.mul(momenta, moved)) : moved;
    }
    storePart(parameter + f, f32x4.sub(p, f32x4.mul(rates, step)), left);
  }
}

/**
 * One step of SGD: `s = sign g + weightDecay p`; with a `buffer` (momentum; address 0 is absent)
 * `b = momentum b + inflow s`, `s = nesterov ? s + momentum b : b`; then `p −= learningRate s`.
 */
export function sgdUpdate(
  parameter: usize,
  gradient: usize,
  buffer: usize,
  count: i32,
  learningRate: f64,
  momentum: f64,
  inflow: f64,
  nesterov: i32,
  weightDecay: f64,
  sign: f64,
): void {
  setArgument(0, parameter);
  setArgument(1, gradient);
  setArgument(2, buffer);
  setArgument(3, nesterov);
  setFloatArgument(4, <f32>sign);
  setFloatArgument(5, <f32>weightDecay);
  setFloatArgument(6, <f32>momentum);
  setFloatArgument(7, <f32>inflow);
  setFloatArgument(8, <f32>learningRate);
  forRange(sgdPart, count, 64, SGD_NANOSECONDS);
}
