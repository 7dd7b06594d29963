import { gruCell, gruSequence, linear, type Tensor } from "@ai/tensor";
import { assertOptionNames } from "../training/option-names.js";
import {
  type ChainWeights,
  Recurrent,
  type RecurrentCallOptions,
  type RecurrentOptions,
  type RecurrentResult,
  type StepState,
} from "./recurrent.js";

/**
 * Gated recurrent unit over `[batch, length, dim]`. Each step: `r = σ(Wᵢᵣ·x + Wₕᵣ·h)`, `z = σ(Wᵢ_z·x + Wₕ_z·h)`,
 * `n = tanh(Wᵢₙ·x + r·(Wₕₙ·h))`, `h = (1 − z)·n + z·h`, each product with its bias.
 *
 * Parameters, PyTorch's names, from U(±1/√hiddenSize): `weight_ih_lK` `[3·hiddenSize, width]`,
 * `weight_hh_lK` `[3·hiddenSize, hiddenSize]`, `bias_ih_lK` and `bias_hh_lK` `[3·hiddenSize]`, with `_reverse` for the chain from the end.
 * @see Cho et al. (2014), "Learning phrase representations using RNN encoder-decoder", https://arxiv.org/abs/1406.1078
 * @example
 * const gru = new GRU(28, 128);
 * const { output, state } = gru.call(x, { lengths: [5, 3] }); // x [2, 5, 28], state [1, 2, 128]
 */
export class GRU extends Recurrent<Tensor> {
  /** @throws InputError for sizes out of range, dropout with one layer or an unknown option. */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    assertOptionNames(new.target.name, options, ["numLayers", "bias?", "dropout", "bidirectional?"]);
    super(inputSize, hiddenSize, { ...options, numGates: 3, stateSizes: [hiddenSize] });
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

  protected project(x: Tensor, { inputWeight, inputBias }: ChainWeights): Tensor {
    return linear(x, inputWeight, inputBias);
  }

  protected override runChain(
    inputGates: Tensor,
    [hidden]: StepState,
    { weights, reverse }: { readonly weights: ChainWeights; readonly reverse: boolean },
  ): readonly Tensor[] {
    const { hiddenWeight, hiddenBias } = weights;
    return [gruSequence(inputGates, hiddenWeight, { hidden, hiddenBias, reverse })];
  }

  protected step(
    inputGates: Tensor,
    [hidden]: StepState,
    { hiddenWeight, hiddenBias }: ChainWeights,
  ): StepState {
    return [gruCell(inputGates, linear(hidden, hiddenWeight, hiddenBias), hidden)];
  }
}
