import type { Tensor } from "@tensorflow/tfjs-core";
import { assertFunction, assertOptions, assertTensors } from "./arguments.js";
import { grad } from "./autograd.js";
import type { TypedArray } from "./dtype.js";
import { InputError, KernelError } from "./errors.js";
import { tidy } from "./memory.js";
import { formatShape, sizeOf } from "./shape.js";
import { fromValues, read } from "./tensor.js";

/** Options of {@link gradcheck}. */
export interface GradcheckOptions {
  /** Step of the finite differences. Default 2⁻⁶: with the fourth-order formula, float32 keeps about four digits. */
  readonly step?: number;
  /** Relative tolerance. Default 2e-3. */
  readonly relative?: number;
  /** Absolute tolerance as a fraction of the largest gradient of the input. Default 2e-3. */
  readonly absoluteScale?: number;
  /** Stops the check between two evaluations. */
  readonly signal?: AbortSignal;
}

/** Weights in [0.5, 1.5) that make the tested scalar depend on every output differently. */
function cotangent(size: number): Float32Array {
  let state = 99;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return 0.5 + state / 2 ** 32;
  });
}

/**
 * Compares the gradients of a function with finite differences, at every element of every input.
 * The function must be smooth within two steps of the inputs. Cost: four evaluations an element.
 * @param fn Computes one float32 tensor of any shape.
 * @param inputs `[...]` each, float32.
 * @throws KernelError that names the first element whose gradient is wrong.
 * @example
 * await gradcheck((x) => tanh(x), [randomNormal([3, 4])]);
 */
export async function gradcheck(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  options: GradcheckOptions = {},
): Promise<void> {
  assertOptions("gradcheck", options, ["step", "relative", "absoluteScale", "signal"]);
  const { step = 2 ** -6, relative = 2e-3, absoluteScale = 2e-3, signal } = options;
  if (!(step > 0)) throw new InputError(`gradcheck: expected a step above 0, got ${step}`);
  assertFunction("gradcheck", fn);
  assertTensors("gradcheck", "inputs", inputs);
  signal?.throwIfAborted();
  const shapes = inputs.map((input) => input.shape);
  const values = await Promise.all(inputs.map(async (input) => Float32Array.from(await read(input))));
  const probe = tidy(() => fn(...inputs));
  const outputShape = probe.shape;
  if (!inputs.includes(probe)) probe.dispose();
  const weights = cotangent(sizeOf(outputShape));

  const evaluate = async (changed: number, element: number, shift: number): Promise<number> => {
    signal?.throwIfAborted();
    const copies = values.map((data, index) => {
      const copy = data.slice();
      if (index === changed) copy[element] += shift;
      return fromValues(copy, shapes[index], "float32");
    });
    let output: Tensor | undefined;
    let result: TypedArray;
    try {
      output = tidy(() => fn(...copies));
      result = await read(output);
    } finally {
      for (const tensor of new Set([...copies, output])) tensor?.dispose();
    }
    let total = 0;
    for (let i = 0; i < result.length; i++) total += result[i] * weights[i];
    return total;
  };

  const seed = fromValues(weights.slice(), outputShape, "float32");
  let gradients: Tensor[] = [];
  try {
    gradients = grad(fn, inputs, { seed });
    for (let index = 0; index < inputs.length; index++) {
      const analytic = await read(gradients[index]);
      let largest = 0;
      for (const value of analytic) largest = Math.max(largest, Math.abs(value));
      for (let element = 0; element < analytic.length; element++) {
        const near = (await evaluate(index, element, step)) - (await evaluate(index, element, -step));
        const far = (await evaluate(index, element, 2 * step)) - (await evaluate(index, element, -2 * step));
        const numeric = (8 * near - far) / (12 * step);
        const allowed = relative * Math.abs(numeric) + absoluteScale * Math.max(largest, 1e-2);
        if (!(Math.abs(analytic[element] - numeric) <= allowed))
          throw new KernelError(
            `gradcheck: expected ${numeric} at element ${element} of input ${index} ${formatShape(shapes[index])}, got ${analytic[element]}; the gradient of the function is wrong`,
          );
      }
    }
  } finally {
    for (const made of [seed, ...gradients]) made.dispose();
  }
}
