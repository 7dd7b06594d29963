import {
  add,
  clip,
  div,
  InputError,
  minimum,
  mul,
  norm,
  read,
  scalar,
  stack,
  type Tensor,
  tidy,
} from "@ai/tensor";
import { StoredTensor } from "../../parameter.js";
import { assertOptionNames } from "../option-names.js";

/** Keeps a gradient of length 0 from dividing by 0, as in `torch.nn.utils.clip_grad_norm_`. */
const NORM_EPSILON = 1e-6;

/**
 * The length of all gradients as one vector. It is not finite exactly when a gradient is not, or overflows.
 * @param gradients Each `[...]`; null counts as none.
 * @param options `order`: of the norm, default 2; `Infinity` gives the largest absolute value.
 * @returns `[]`
 */
export function gradientNorm(
  gradients: readonly (Tensor | null)[],
  options: { readonly order?: number } = {},
): Tensor {
  assertOptionNames("gradientNorm", options, ["order"]);
  const { order = 2 } = options;
  if (!(typeof order === "number" && order > 0))
    throw new InputError(`gradientNorm: expected an order above 0, got ${order}`);
  assertGradients("gradientNorm", gradients);
  return tidy(() => {
    const norms = gradients.flatMap((gradient) => (gradient === null ? [] : [norm(gradient, { order })]));
    return norms.length === 0 ? scalar(0) : norm(stack(norms), { order });
  });
}

/** @throws InputError unless they are tensors and nulls: PyTorch's function takes the parameters. */
function assertGradients(operation: string, gradients: readonly (Tensor | null)[]): void {
  const wrong = Array.isArray(gradients)
    ? gradients.find((each) => each !== null && typeof each?.dataId !== "object")
    : gradients;
  if (wrong === undefined && Array.isArray(gradients) && !gradients.includes(undefined as never)) return;
  const kind = wrong instanceof StoredTensor ? "parameters" : "something else";
  throw new InputError(
    `${operation}: expected an array of gradients, got ${kind}; pass grads of valueAndGrad, and what comes back to the optimizer's step`,
  );
}

/** Options of {@link clipGradNorm}. */
export interface ClipGradNormOptions {
  /** Order of the norm. Default 2. */
  readonly order?: number;
}

/**
 * Scales all gradients by one factor so that their norm is at most `maxNorm`, as `torch.nn.utils.clip_grad_norm_`:
 * `g · min(1, maxNorm / (norm + 1e-6))`.
 * @param gradients Each `[...]`, not changed.
 * @returns new gradients of the same shapes, null where there was none, and `totalNorm` `[]` before clipping; the caller's.
 * @throws InputError for a `maxNorm` that is not above 0, or what is no gradient.
 * @example
 * const { gradients, totalNorm } = clipGradNorm(grads, 1);
 * optimizer.step(gradients);
 * dispose([totalNorm, gradients, grads]);
 */
export function clipGradNorm(
  gradients: readonly (Tensor | null)[],
  maxNorm: number,
  options: ClipGradNormOptions = {},
): { gradients: (Tensor | null)[]; totalNorm: Tensor } {
  assertOptionNames("clipGradNorm", options, ["order"]);
  const { order = 2 } = options;
  if (!(typeof maxNorm === "number" && maxNorm > 0))
    throw new InputError(`clipGradNorm: expected a maxNorm above 0, got ${maxNorm}`);
  assertGradients("clipGradNorm", gradients);
  return tidy(() => {
    const totalNorm = gradientNorm(gradients, { order });
    const ratio = div(maxNorm, add(totalNorm, NORM_EPSILON));
    const factor = minimum(ratio, 1);
    return {
      gradients: gradients.map((gradient) => (gradient === null ? null : mul(gradient, factor))),
      totalNorm,
    };
  });
}

/**
 * Bounds every number of the gradients to [−limit, limit], as `torch.nn.utils.clip_grad_value_`; NaN stays NaN.
 * @param gradients Each `[...]`, not changed.
 * @returns new gradients of the same shapes, null where there was none.
 * @throws InputError for a limit that is not above 0, or what is no gradient.
 */
export function clipGradValue(gradients: readonly (Tensor | null)[], limit: number): (Tensor | null)[] {
  if (!(typeof limit === "number" && limit > 0))
    throw new InputError(`clipGradValue: expected a limit above 0, got ${limit}`);
  assertGradients("clipGradValue", gradients);
  return tidy(() =>
    gradients.map((gradient) => (gradient === null ? null : clip(gradient, { min: -limit, max: limit }))),
  );
}

/**
 * Whether every number of the gradients is finite: one read from the device.
 * @param gradients `[...]` each; null counts as finite.
 */
export async function areFinite(gradients: readonly (Tensor | null)[]): Promise<boolean> {
  const largest = gradientNorm(gradients, { order: Number.POSITIVE_INFINITY });
  try {
    return Number.isFinite((await read(largest))[0]);
  } finally {
    largest.dispose();
  }
}
