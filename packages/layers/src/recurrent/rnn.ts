import { add, linear, matMul, relu, type Tensor, tanh } from "@ai/tensor";
import { assertOneOf } from "../checks.js";
import { assertOptionNames } from "../training/option-names.js";
import {
  type ChainWeights,
  Recurrent,
  type RecurrentCallOptions,
  type RecurrentOptions,
  type RecurrentResult,
  type StepState,
} from "./recurrent.js";

/** What an {@link RNN} applies to the sum of its products. */
export type RecurrentNonlinearity = "tanh" | "relu";

/** Options of {@link RNN}. */
export interface RNNOptions extends RecurrentOptions {
  /** Default tanh. */
  readonly nonlinearity?: RecurrentNonlinearity;
}

/** @throws InputError unless it is one. */
export function assertNonlinearity(layer: string, nonlinearity: RecurrentNonlinearity): void {
  assertOneOf(layer, "nonlinearity", nonlinearity, ["tanh", "relu"]);
}

/**
 * The plain recurrent layer (Elman) over `[batch, length, dim]`. Each step: `h = tanh(Wᵢ·x + bᵢ + Wₕ·h + bₕ)`, or ReLU.
 *
 * Parameters, PyTorch's names, from U(±1/√hiddenSize): `weight_ih_lK` `[hiddenSize, width]`, `weight_hh_lK`
 * `[hiddenSize, hiddenSize]`, `bias_ih_lK` and `bias_hh_lK` `[hiddenSize]`, with `_reverse` for the chain from the end.
 * @see Elman (1990), "Finding structure in time", https://doi.org/10.1207/s15516709cog1402_1
 * @example
 * const rnn = new RNN(28, 128, { nonlinearity: "relu" });
 * const { output, state } = rnn.call(x); // x [batch, length, 28], output [batch, length, 128]
 */
export class RNN extends Recurrent<Tensor> {
  readonly nonlinearity: RecurrentNonlinearity;

  /** @throws InputError for sizes out of range, another nonlinearity, dropout with one layer or an unknown option. */
  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    assertOptionNames(new.target.name, options, [
      "numLayers",
      "nonlinearity",
      "bias?",
      "dropout",
      "bidirectional?",
    ]);
    const { nonlinearity = "tanh", ...others } = options;
    super(inputSize, hiddenSize, { ...others, numGates: 1, stateSizes: [hiddenSize] });
    assertNonlinearity(new.target.name, nonlinearity);
    this.nonlinearity = nonlinearity;
  }

  /**
   * @param x `[batch, length, inputSize]`
   * @param options `state` before the first step `[numLayers · directions, batch, hiddenSize]`, `lengths` `[batch]`
   * @returns `output` `[batch, length, directions · hiddenSize]` and the final `state` `[numLayers · directions, batch, hiddenSize]`
   * @throws ShapeError or InputError for an input, state or lengths that do not fit.
   */
  protected forward(x: Tensor, options?: RecurrentCallOptions<Tensor>): RecurrentResult<Tensor> {
    const state = options?.state;
    const { output, states } = this.run(x, state && [state], options);
    return { output, state: states[0] };
  }

  protected project(x: Tensor, { inputWeight, inputBias, hiddenBias }: ChainWeights): Tensor {
    return linear(x, inputWeight, inputBias && hiddenBias && add(inputBias, hiddenBias));
  }

  protected step(inputGates: Tensor, [hidden]: StepState, { hiddenWeight }: ChainWeights): StepState {
    const sum = add(inputGates, matMul(hidden, hiddenWeight, { transposeB: true }));
    return [this.nonlinearity === "tanh" ? tanh(sum) : relu(sum)];
  }
}
