import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { stopGradient } from "../autograd.js";
import { DTypeError, InputError } from "../errors.js";
import { tidy } from "../memory.js";
import { type RandomOptions, randomUniform } from "../random.js";
import { normalizeAxis } from "../shape.js";
import { add, div, sub } from "./arithmetic.js";
import { assertTensor } from "./broadcast.js";
import { oneHot } from "./indexing.js";
import { argMax } from "./reduce.js";
import { transpose } from "./shape-ops.js";
import { softmax } from "./softmax.js";
import { clip, log, neg } from "./unary.js";

/** Options of {@link gumbelSoftmax}. */
export interface GumbelSoftmaxOptions extends RandomOptions {
  /** Temperature above 0 (PyTorch's `tau`): the lower, the closer to a choice of one. Default 1. */
  readonly temperature?: number;
  /** Give 1 for the chosen class and 0 for the others, with the gradient of the soft result. Default false. */
  readonly hard?: boolean;
  /** The axis of the classes, negative counted from the end. Default −1. */
  readonly axis?: number;
}

/** Half the distance of the numbers that are drawn: no logarithm of 0. */
const LEAST = 2 ** -25;
/** −ln of the largest number that is drawn, which a GPU, whose logarithm is good to 2⁻²¹ near 1, may take for 0 or below. */
const LEAST_EXPONENTIAL = 2 ** -24;

/**
 * A differentiable choice among classes: `softmax((logits + g) / temperature)` with Gumbel noise g, so that the largest entry
 * is each class with its probability `softmax(logits)` (`torch.nn.functional.gumbel_softmax`).
 * @param logits `[..., classes]` float32
 * @returns `[..., classes]`, of each choice positive with sum 1.
 * @throws InputError for a temperature that is not above 0 or an axis out of range. @throws DTypeError for another dtype.
 * @see Jang, Gu, Poole (2017), "Categorical reparameterization with Gumbel-softmax", https://arxiv.org/abs/1611.01144
 */
export function gumbelSoftmax(logits: Tensor, options: GumbelSoftmaxOptions = {}): Tensor {
  const operation = "gumbelSoftmax";
  assertTensor(operation, logits);
  assertOptions(operation, options, ["temperature", "hard?", "axis", "generator"]);
  const { temperature = 1, hard = false, axis = -1, generator } = options;
  if (logits.dtype !== "float32")
    throw new DTypeError(`${operation}: expected float32 logits, got ${logits.dtype}; cast them first`);
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new InputError(`${operation}: expected a temperature above 0, got ${temperature}`);
  const rank = logits.shape.length;
  const along = normalizeAxis(operation, axis, rank);
  return tidy(() => {
    const exponential = neg(log(randomUniform(logits.shape, { min: LEAST, max: 1, generator })));
    const noise = neg(log(clip(exponential, { min: LEAST_EXPONENTIAL })));
    const soft = softmax(div(add(logits, noise), temperature), { axis: along });
    if (!hard) return soft;
    const chosen = oneHot(argMax(soft, { axis: along }), logits.shape[along]); // [..., classes]
    const order = logits.shape.map((_, at) => (at < along ? at : at === along ? rank - 1 : at - 1));
    return add(stopGradient(sub(transpose(chosen, order), soft)), soft);
  });
}
