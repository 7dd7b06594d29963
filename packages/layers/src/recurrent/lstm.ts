import { add, InputError, linear, lstmCell, lstmSequence, matMul, type Tensor } from "@ai/tensor";
import { assertIntegers } from "../checks.js";
import { assertOptionNames } from "../training/option-names.js";
import {
  type ChainWeights,
  Recurrent,
  type RecurrentCallOptions,
  type RecurrentOptions,
  type RecurrentResult,
  type StepState,
} from "./recurrent.js";

/** Options of {@link LSTM}. */
export interface LSTMOptions extends RecurrentOptions {
  /** Size to which each hidden state is projected, below `hiddenSize`; 0 for none. Default 0. */
  readonly projSize?: number;
}

/** State of an {@link LSTM}; in both, layer by layer, a layer's forward chain before its reverse one. */
export interface LSTMState {
  /** `[numLayers · directions, batch, hiddenSize]`, `projSize` instead of `hiddenSize` with projections */
  readonly hidden: Tensor;
  /** `[numLayers · directions, batch, hiddenSize]` */
  readonly cell: Tensor;
}

/**
 * Long short-term memory over `[batch, length, dim]`. Each step: `i, f, g, o = Wᵢ·x + bᵢ + Wₕ·h + bₕ`,
 * `c = σ(f)·c + σ(i)·tanh(g)`, `h = σ(o)·tanh(c)`, and with `projSize` `h = Wᵣ·(σ(o)·tanh(c))`.
 *
 * Parameters, PyTorch's names, from U(±1/√hiddenSize): `weight_ih_lK` `[4·hiddenSize, width]`,
 * `weight_hh_lK` `[4·hiddenSize, hiddenSize]`, `bias_ih_lK` and `bias_hh_lK` `[4·hiddenSize]`, with `_reverse` for the
 * chain from the end; with `projSize` `weight_hh_lK` `[4·hiddenSize, projSize]` and `weight_hr_lK` `[projSize, hiddenSize]`.
 * @see Hochreiter, Schmidhuber (1997), "Long short-term memory", https://doi.org/10.1162/neco.1997.9.8.1735; Sak, Senior,
 * Beaufays (2014), "Long short-term memory based recurrent neural network architectures", https://arxiv.org/abs/1402.1128 (projections)
 * @example
 * const lstm = new LSTM(28, 128, { numLayers: 2 });
 * const { output, state } = lstm.call(x); // x [batch, length, 28], output [batch, length, 128]
 * const next = lstm.call(more, { state });
 */
export class LSTM extends Recurrent<LSTMState> {
  readonly projSize: number;

  /** @throws InputError for sizes out of range, dropout with one layer or an unknown option. */
  constructor(inputSize: number, hiddenSize: number, options: LSTMOptions = {}) {
    assertOptionNames(new.target.name, options, [
      "numLayers",
      "bias?",
      "dropout",
      "bidirectional?",
      "projSize",
    ]);
    const { projSize = 0, ...others } = options;
    assertIntegers(new.target.name, { projSize }, 0);
    if (projSize >= hiddenSize)
      throw new InputError(
        `${new.target.name}: expected projSize below hiddenSize ${hiddenSize}, got ${projSize}`,
      );
    const stateSizes = [projSize === 0 ? hiddenSize : projSize, hiddenSize];
    super(inputSize, hiddenSize, { ...others, numGates: 4, stateSizes });
    this.projSize = projSize;
  }

  /**
   * @param x `[batch, length, inputSize]`
   * @returns `output` `[batch, length, directions · hiddenSize]` (`projSize` with projections) and the final `state`
   * @throws ShapeError or InputError for an input, state or lengths that do not fit.
   */
  protected forward(x: Tensor, options?: RecurrentCallOptions<LSTMState>): RecurrentResult<LSTMState> {
    const state = options?.state;
    const { output, states } = this.run(x, state && [state.hidden, state.cell], options);
    return { output, state: { hidden: states[0], cell: states[1] } };
  }

  protected project(x: Tensor, { inputWeight, inputBias, hiddenBias }: ChainWeights): Tensor {
    return linear(x, inputWeight, inputBias && hiddenBias && add(inputBias, hiddenBias));
  }

  protected override runChain(
    inputGates: Tensor,
    [hidden, cell]: StepState,
    { weights, reverse }: { readonly weights: ChainWeights; readonly reverse: boolean },
  ): readonly Tensor[] | undefined {
    if (weights.projection !== undefined) return undefined;
    const states = lstmSequence(inputGates, weights.hiddenWeight, { hidden, cell, reverse });
    return [states.hidden, states.cell];
  }

  protected step(
    inputGates: Tensor,
    [hidden, cell]: StepState,
    { hiddenWeight, projection }: ChainWeights,
  ): StepState {
    const next = lstmCell(add(inputGates, matMul(hidden, hiddenWeight, { transposeB: true })), cell);
    return [projection === undefined ? next.hidden : linear(next.hidden, projection), next.cell];
  }
}
