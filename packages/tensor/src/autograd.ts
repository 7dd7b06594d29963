import type { Tensor } from "@tensorflow/tfjs-core";
import { assertFunction, assertOptions, assertTensors, isTensor } from "./arguments.js";
import { assertReady } from "./device.js";
import { engine, isRecording, unrecorded } from "./engine.js";
import { InputError } from "./errors.js";
import type { GradientContext } from "./kernels/define-kernel.js";
import { tidy } from "./memory.js";
import { differentiate, recordNode } from "./tape.js";

/** Options of {@link grad} and {@link valueAndGrad}. */
export interface GradientOptions {
  /** Gradient of the result, its shape: required when the result is not a scalar. */
  readonly seed?: Tensor;
  /** Give null for an input that the result does not depend on, instead of throwing. Default false. */
  readonly allowUnused?: boolean;
}

/**
 * The value of a function and its gradients. May be nested for second derivatives.
 * @param fn Computes a scalar (or any shape with `seed`) from the inputs; tensors that it closes over count too when they are listed.
 * @param inputs `[...]` each, float32: what to differentiate with respect to.
 * @returns `value`, and in `grads` one tensor of the input's shape an input. All are the caller's.
 * @throws InputError for a non-scalar result without a seed, or an input without influence (unless `allowUnused`).
 * @example
 * const { value, grads: [dw] } = valueAndGrad((w) => sum(square(w)), [w]);
 */
export function valueAndGrad(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options?: GradientOptions & { readonly allowUnused?: false },
): { value: Tensor; grads: Tensor[] };
export function valueAndGrad(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradientOptions,
): { value: Tensor; grads: (Tensor | null)[] };
export function valueAndGrad(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradientOptions = {},
): { value: Tensor; grads: (Tensor | null)[] } {
  return differentiated("valueAndGrad", fn, inputs, options);
}

/** {@link valueAndGrad} under the name of who was called. */
function differentiated(
  operation: string,
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradientOptions,
): { value: Tensor; grads: (Tensor | null)[] } {
  assertOptions(operation, options, ["seed", "allowUnused?"]);
  const { seed, allowUnused = false } = options;
  assertReady(operation);
  assertFunction(operation, fn);
  assertTensors(operation, "inputs", inputs);
  inputs.forEach((input, index) => {
    if (input.dtype !== "float32")
      throw new InputError(
        `${operation}: expected float32 inputs, got ${input.dtype} for input ${index}; cast it first`,
      );
  });
  if (seed != null && (typeof seed.dataId !== "object" || seed.dtype !== "float32"))
    throw new InputError(
      `${operation}: expected a float32 tensor as seed, got ${seed.dtype ?? typeof seed}; pass the gradient of the result`,
    );
  const { value, grads } = differentiate(operation, () => fn(...inputs), inputs, seed ?? null);
  const unused = grads.indexOf(undefined);
  if (unused >= 0 && !allowUnused) {
    for (const gradient of grads) gradient?.dispose();
    value.dispose();
    throw new InputError(
      `${operation}: expected a result that depends on every input, got one that ignores input ${unused}; remove it or pass { allowUnused: true }`,
    );
  }
  return { value, grads: grads.map((gradient) => gradient ?? null) };
}

/**
 * Gradients of a function, like {@link valueAndGrad} without the value.
 * @param inputs `[...]` each, float32.
 * @returns one tensor an input, the input's shape.
 */
export function grad(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options?: GradientOptions & { readonly allowUnused?: false },
): Tensor[];
export function grad(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradientOptions,
): (Tensor | null)[];
export function grad(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradientOptions = {},
): (Tensor | null)[] {
  const { value, grads } = differentiated("grad", fn, inputs, options);
  value.dispose();
  return grads;
}

/** Runs `fn` without recording: its results are constants to every gradient around it. It frees nothing: {@link tidy} does. */
export function noGrad<T>(fn: () => T): T {
  assertFunction("noGrad", fn);
  const { state } = engine();
  const depth = state.gradientDepth;
  const tape = state.activeTape;
  state.gradientDepth = 0;
  try {
    return fn();
  } finally {
    state.gradientDepth = depth;
    state.activeTape = tape;
  }
}

/** The same values, constant to every gradient. @param x `[...]` @returns `[...]`, a new tensor on the same data. */
export function stopGradient(x: Tensor): Tensor {
  assertReady("stopGradient");
  assertTensors("stopGradient", "a tensor", [x]);
  return unrecorded(() => engine().runKernel("Identity", { x }, {}) as Tensor);
}

/**
 * A function with a gradient of your own.
 * @param forward Computes the result from the inputs; runs unrecorded.
 * @param backward Gets the gradient of the result (its shape) and the inputs; returns one gradient an input, of its shape.
 * Write it with ops of this library and second derivatives work.
 * @example
 * const reversed = customGradient((x) => mul(x, 1), (dy) => [neg(dy)]);
 */
export function customGradient(
  forward: (...inputs: Tensor[]) => Tensor,
  backward: (dy: Tensor, inputs: Tensor[]) => Tensor[],
): (...inputs: Tensor[]) => Tensor {
  assertFunction("customGradient", forward);
  assertFunction("customGradient", backward);
  return (...inputs) => {
    assertReady("customGradient");
    assertTensors("customGradient", "tensors as arguments", inputs);
    const named: Record<string, Tensor> = Object.fromEntries(
      inputs.map((input, index) => [`input${index}`, input]),
    );
    const names = Object.keys(named);
    const recording = isRecording();
    const firstOfOurs = engine().nextTensorId();
    const output = noGrad(() => tidy(() => detached(forward(...inputs), firstOfOurs)));
    if (!recording) return output;
    const gradient = ({
      dy,
      saved,
    }: GradientContext<Record<string, Tensor>, object>): Record<string, () => Tensor> => {
      let gradients: Tensor[] | undefined;
      const compute = (): Tensor[] => {
        gradients ??= backward(
          dy,
          names.map((name) => saved[name]),
        );
        if (!Array.isArray(gradients) || gradients.length !== names.length || !gradients.every(isTensor))
          throw new InputError(
            `customGradient: expected an array of ${names.length} tensors, one an input, got ${Array.isArray(gradients) ? `${gradients.filter(isTensor).length} tensors of ${gradients.length}` : typeof gradients}; return zeros for an input without one`,
          );
        return gradients;
      };
      return Object.fromEntries(names.map((name, index) => [name, () => compute()[index]]));
    };
    recordNode(
      "customGradient",
      { name: "customGradient", saves: names, gradient },
      named,
      [output],
      {},
      () => [forward(...inputs)],
    );
    return output;
  };
}

/** A result that somebody else holds becomes a tensor of its own. */
function detached(output: Tensor, firstOfOurs: number): Tensor {
  if (!isTensor(output))
    throw new InputError(
      `customGradient: expected a forward function that returns a tensor, got ${typeof output}`,
    );
  return output.id < firstOfOurs ? (engine().runKernel("Identity", { x: output }, {}) as Tensor) : output;
}
