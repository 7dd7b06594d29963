import { add, gruCell, linear, lstmCell, relu, ShapeError, type Tensor, tanh, zeros } from "@ai/tensor";
import { assertIntegers, assertShape, assertTensor, formatShape } from "../checks.js";
import { fanInUniform } from "../initializers.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { assertOptionNames } from "../training/option-names.js";
import { assertNonlinearity, type RecurrentNonlinearity } from "./rnn.js";

/** Options of {@link LSTMCell} and {@link GRUCell}. */
export interface RecurrentCellOptions {
  /** Whether to add biases. Default true. */
  readonly bias?: boolean;
}

/** Options of {@link RNNCell}. */
export interface RNNCellOptions extends RecurrentCellOptions {
  /** Default tanh. */
  readonly nonlinearity?: RecurrentNonlinearity;
}

/** State of an {@link LSTMCell}, `[batch, hiddenSize]` each. */
export interface LSTMCellState {
  readonly hidden: Tensor;
  readonly cell: Tensor;
}

/** Parameters and products of one step, which the cells share. */
abstract class RecurrentCell<State> extends Module<[x: Tensor, state?: State], State> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    inputWeight: "weight_ih",
    hiddenWeight: "weight_hh",
    inputBias: "bias_ih",
    hiddenBias: "bias_hh",
  };
  static override readonly quantizableWeights: RegExp | undefined = /^weight_/;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly inputWeight: Parameter;
  readonly hiddenWeight: Parameter;
  readonly inputBias: Parameter | undefined;
  readonly hiddenBias: Parameter | undefined;

  constructor(
    inputSize: number,
    hiddenSize: number,
    { numGates, bias = true }: RecurrentCellOptions & { readonly numGates: number },
  ) {
    super();
    assertIntegers(new.target.name, { inputSize, hiddenSize });
    const initializer = fanInUniform(hiddenSize);
    const rows = numGates * hiddenSize;
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.inputWeight = new Parameter([rows, inputSize], { initializer });
    this.hiddenWeight = new Parameter([rows, hiddenSize], { initializer });
    this.inputBias = bias ? new Parameter([rows], { initializer }) : undefined;
    this.hiddenBias = bias ? new Parameter([rows], { initializer }) : undefined;
  }

  /** Checks the input and gives the states, zeros where there are none. */
  protected statesOf(x: Tensor, ...states: readonly (Tensor | undefined)[]): Tensor[] {
    assertShape(x, ["batch", "dim"], this.inputSize);
    const shape = [x.shape[0], this.hiddenSize];
    return states.map((state) => {
      if (state === undefined) return zeros(shape);
      assertTensor(state, "each part of the state");
      if (state.shape.length !== 2 || state.shape.some((size, axis) => size !== shape[axis]))
        throw new ShapeError(`expected a state ${formatShape(shape)}, got ${formatShape(state.shape)}`);
      return state;
    });
  }

  /** `Wᵢ·x + bᵢ`, `[batch, gates · hiddenSize]` */
  protected inputGates(x: Tensor): Tensor {
    return linear(x, this.inputWeight.value, this.inputBias?.value);
  }

  /** `Wₕ·h + bₕ`, `[batch, gates · hiddenSize]` */
  protected hiddenGates(hidden: Tensor): Tensor {
    return linear(hidden, this.hiddenWeight.value, this.hiddenBias?.value);
  }

  override multiplyAdds([x]: [x: Tensor, state?: State]): number {
    return x.shape[0] * this.inputWeight.shape[0] * (this.inputSize + this.hiddenSize);
  }
}

/**
 * One step of an {@link RNN}: `h = tanh(Wᵢ·x + bᵢ + Wₕ·h + bₕ)`, or ReLU.
 * Parameters, from U(±1/√hiddenSize): `weight_ih` `[hiddenSize, inputSize]`, `weight_hh` `[hiddenSize, hiddenSize]`,
 * `bias_ih`, `bias_hh` `[hiddenSize]`.
 * @see Elman (1990), "Finding structure in time", https://doi.org/10.1207/s15516709cog1402_1
 * @example
 * let hidden = cell.call(first); // first [batch, inputSize], hidden [batch, hiddenSize]
 * hidden = cell.call(second, hidden);
 */
export class RNNCell extends RecurrentCell<Tensor> {
  readonly nonlinearity: RecurrentNonlinearity;

  /** @throws InputError for sizes out of range, another nonlinearity or an unknown option. */
  constructor(inputSize: number, hiddenSize: number, options: RNNCellOptions = {}) {
    assertOptionNames(new.target.name, options, ["bias?", "nonlinearity"]);
    const { nonlinearity = "tanh", ...others } = options;
    super(inputSize, hiddenSize, { ...others, numGates: 1 });
    assertNonlinearity(new.target.name, nonlinearity);
    this.nonlinearity = nonlinearity;
  }

  /**
   * @param x `[batch, inputSize]` @param hidden `[batch, hiddenSize]`, zeros by default
   * @returns the next hidden state `[batch, hiddenSize]`
   * @throws ShapeError or InputError for an input or state that does not fit.
   */
  protected forward(x: Tensor, hidden?: Tensor): Tensor {
    const [before] = this.statesOf(x, hidden);
    const sum = add(this.inputGates(x), this.hiddenGates(before));
    return this.nonlinearity === "tanh" ? tanh(sum) : relu(sum);
  }
}

/**
 * One step of an {@link LSTM}: `i, f, g, o = Wᵢ·x + bᵢ + Wₕ·h + bₕ`, `c = σ(f)·c + σ(i)·tanh(g)`, `h = σ(o)·tanh(c)`.
 * Parameters, from U(±1/√hiddenSize): `weight_ih` `[4·hiddenSize, inputSize]`, `weight_hh` `[4·hiddenSize, hiddenSize]`,
 * `bias_ih`, `bias_hh` `[4·hiddenSize]`.
 * @see Hochreiter, Schmidhuber (1997), https://doi.org/10.1162/neco.1997.9.8.1735
 * @example
 * const state = cell.call(first); // first [batch, inputSize], state.hidden and state.cell [batch, hiddenSize]
 * const next = cell.call(second, state);
 */
export class LSTMCell extends RecurrentCell<LSTMCellState> {
  /** @throws InputError for sizes out of range or an unknown option. */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    assertOptionNames(new.target.name, options, ["bias?"]);
    super(inputSize, hiddenSize, { ...options, numGates: 4 });
  }

  /**
   * @param x `[batch, inputSize]` @param state `[batch, hiddenSize]` each, zeros by default
   * @returns the next `hidden` and `cell`, `[batch, hiddenSize]` each
   * @throws ShapeError or InputError for an input or state that does not fit.
   */
  protected forward(x: Tensor, state?: LSTMCellState): LSTMCellState {
    const [hidden, cell] = this.statesOf(x, state?.hidden, state?.cell);
    return lstmCell(add(this.inputGates(x), this.hiddenGates(hidden)), cell);
  }
}

/**
 * One step of a {@link GRU}: `r = σ(Wᵢᵣ·x + Wₕᵣ·h)`, `z = σ(Wᵢ_z·x + Wₕ_z·h)`, `n = tanh(Wᵢₙ·x + r·(Wₕₙ·h))`,
 * `h = (1 − z)·n + z·h`, each product with its bias.
 * Parameters, from U(±1/√hiddenSize): `weight_ih` `[3·hiddenSize, inputSize]`, `weight_hh` `[3·hiddenSize, hiddenSize]`,
 * `bias_ih`, `bias_hh` `[3·hiddenSize]`.
 * @see Cho et al. (2014), https://arxiv.org/abs/1406.1078
 * @example
 * let hidden = cell.call(first); // first [batch, inputSize], hidden [batch, hiddenSize]
 * hidden = cell.call(second, hidden);
 */
export class GRUCell extends RecurrentCell<Tensor> {
  /** @throws InputError for sizes out of range or an unknown option. */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentCellOptions = {}) {
    assertOptionNames(new.target.name, options, ["bias?"]);
    super(inputSize, hiddenSize, { ...options, numGates: 3 });
  }

  /**
   * @param x `[batch, inputSize]` @param hidden `[batch, hiddenSize]`, zeros by default
   * @returns the next hidden state `[batch, hiddenSize]`
   * @throws ShapeError or InputError for an input or state that does not fit.
   */
  protected forward(x: Tensor, hidden?: Tensor): Tensor {
    const [before] = this.statesOf(x, hidden);
    return gruCell(this.inputGates(x), this.hiddenGates(before), before);
  }
}
