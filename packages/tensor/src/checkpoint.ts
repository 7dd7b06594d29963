import type { Tensor } from "@tensorflow/tfjs-core";
import { assertFunction, assertTensors } from "./arguments.js";
import { customGradient } from "./autograd.js";
import { defaultGenerator } from "./random.js";
import { differentiate } from "./tape.js";
import { zeros } from "./tensor.js";

/**
 * Runs `fn` without saving its intermediate results; the backward pass computes them again. Trades time for memory.
 * Random numbers drawn from the default generator are the same both times.
 * @param fn Computes one tensor from the inputs; may be called twice.
 * @param inputs `[...]` each; tensors that `fn` gets as arguments.
 * @param parameters `[...]` each; tensors that `fn` closes over and that need gradients, such as a module's parameters.
 * @returns what `fn` returns.
 * @throws InputError when `fn` is not a function, or `inputs` or `parameters` is not an array of tensors.
 * @see Chen, Xu, Zhang, Guestrin 2016, "Training Deep Nets with Sublinear Memory Cost", https://arxiv.org/abs/1604.06174
 * @example
 * const y = checkpoint((h) => block.call(h), [x], block.parameters().map((p) => p.value));
 */
export function checkpoint(
  fn: (...inputs: Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  parameters: readonly Tensor[] = [],
): Tensor {
  assertFunction("checkpoint", fn);
  assertTensors("checkpoint", "inputs", inputs);
  assertTensors("checkpoint", "parameters", parameters);
  const generator = defaultGenerator();
  const before = generator.state();
  const run = customGradient(
    (...all) => fn(...all.slice(0, inputs.length)),
    (dy, all) => {
      const after = generator.state();
      generator.setState(before);
      try {
        // the parameters are closed over by fn, so they are differentiated by themselves, not by their saved aliases
        const recomputedInputs = all.slice(0, inputs.length);
        const targets = [...recomputedInputs.filter((input) => input.dtype === "float32"), ...parameters];
        const { value, grads } = differentiate("checkpoint", () => fn(...recomputedInputs), targets, dy);
        value.dispose();
        let next = 0;
        return all.map((input, index) => {
          const isTarget = index >= inputs.length || input.dtype === "float32";
          return (isTarget ? grads[next++] : undefined) ?? zeros(input.shape);
        });
      } finally {
        generator.setState(after);
      }
    },
  );
  return run(...inputs, ...parameters);
}
