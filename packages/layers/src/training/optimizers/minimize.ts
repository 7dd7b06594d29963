import { dispose, InputError, type Tensor, valueAndGrad } from "@ai/tensor";
import { assertOptionNames } from "../option-names.js";
import { clipGradNorm } from "./clipping.js";
import { Optimizer, type OptimizerOptions } from "./optimizer.js";

/** Options of {@link minimize}. */
export interface MinimizeOptions {
  /** Scale the gradients down to this length, all as one vector. Default: as they are. */
  readonly maxGradientNorm?: number;
}

/**
 * One step of a loop of your own: the loss, its gradients for the optimizer's parameters, one update along them (PyTorch's
 * `zero_grad`, `backward` and `step`). Parameters that are frozen or that the loss does not depend on stay as they are.
 * Everything that is made on the way is freed, what `loss` makes too.
 * @param loss Computes a scalar from the parameters' values now.
 * @returns the loss before the update, `[]`: the caller's.
 * @throws InputError for a loss that is no scalar or depends on none of the parameters, or an option out of range; nothing
 * changes then.
 * @example
 * for await (const [x, y] of loader) {
 *   const loss = minimize(optimizer, () => crossEntropyLoss(model.call(x), y), { maxGradientNorm: 1 });
 *   dispose([x, y, loss]);
 * }
 */
export function minimize<Options extends OptimizerOptions>(
  optimizer: Optimizer<Options>,
  loss: () => Tensor,
  options: MinimizeOptions = {},
): Tensor {
  assertOptionNames("minimize", options, ["maxGradientNorm"]);
  if (!(optimizer instanceof Optimizer))
    throw new InputError("minimize: expected an optimizer first, got something else; then the loss");
  if (typeof loss !== "function")
    throw new InputError(
      "minimize: expected a function that computes the loss, got something else; write () => crossEntropyLoss(model.call(x), y)",
    );
  const trained = optimizer.parameters.filter(({ requiresGrad }) => requiresGrad);
  const values = trained.map(({ value }) => value);
  const compute = (): Tensor => {
    const result: unknown = loss();
    if (result instanceof Promise)
      throw new InputError("minimize: expected a scalar loss, got a promise; compute what is awaited before");
    return result as Tensor;
  };
  const { value, grads } = valueAndGrad(compute, values, { allowUnused: true });
  const made: unknown[] = [grads];
  let done = false;
  try {
    if (grads.every((gradient) => gradient === null))
      throw new InputError(
        "minimize: expected a loss that depends on the optimizer's parameters, got one that ignores them all, or they are frozen; make the optimizer with the parameters of this model",
      );
    let gradients = grads;
    if (options.maxGradientNorm !== undefined) {
      const clipped = clipGradNorm(grads, options.maxGradientNorm);
      made.push(clipped);
      gradients = clipped.gradients;
    }
    const byParameter = new Map(trained.map((parameter, index) => [parameter, gradients[index]]));
    optimizer.step(optimizer.parameters.map((parameter) => byParameter.get(parameter) ?? null));
    done = true;
    return value;
  } finally {
    dispose(made);
    if (!done) value.dispose();
  }
}
