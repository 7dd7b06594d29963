import {
  add,
  concat,
  expandDims,
  gruCell,
  gruSequence,
  InputError,
  less,
  linear,
  lstmCell,
  lstmSequence,
  matMul,
  narrow,
  ShapeError,
  squeeze,
  stack,
  type Tensor,
  tensor,
  transpose,
  unstack,
  where,
  zeros,
} from "@ai/tensor";
import { assertIntegers, assertProbability, assertShape, assertTensor, formatShape } from "./checks.js";
import { dropout } from "./dropout.js";
import { fanInUniform } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";

/** Options of {@link LSTM} and {@link GRU}. */
export interface RecurrentOptions {
  /** Layers on top of each other, each reading the outputs of the one below. Default 1. */
  readonly numLayers?: number;
  /** Whether to add biases. Default true. */
  readonly bias?: boolean;
  /** Share of the outputs between layers that is dropped in training; needs more than one layer. Default 0. */
  readonly dropout?: number;
  /** Whether a second chain reads each sequence from its end. Default false. */
  readonly bidirectional?: boolean;
}

/** Options of a call of {@link LSTM} and {@link GRU}. */
export interface RecurrentCallOptions<State> {
  /** State before the first step. Default zeros. */
  readonly state?: State;
  /**
   * Steps of each sequence, `[batch]` int32, at most the length of `x`. What follows is padding: the output there is 0,
   * the final state is that after the last step, and the reverse chain starts there. Default: all steps.
   */
  readonly lengths?: Tensor | readonly number[];
}

/** What a call of {@link LSTM} or {@link GRU} gives. */
export interface RecurrentResult<State> {
  /** Hidden states of the last layer, `[batch, length, directions · hiddenSize]`. */
  readonly output: Tensor;
  /** State after the last step. */
  readonly state: State;
}

/** State of an {@link LSTM}; in both, layer by layer, a layer's forward chain before its reverse one. */
export interface LSTMState {
  /** `[numLayers · directions, batch, hiddenSize]` */
  readonly hidden: Tensor;
  /** `[numLayers · directions, batch, hiddenSize]` */
  readonly cell: Tensor;
}

/** Parameters of one chain. */
interface ChainWeights {
  readonly inputWeight: Tensor;
  readonly hiddenWeight: Tensor;
  readonly inputBias: Tensor | undefined;
  readonly hiddenBias: Tensor | undefined;
}

/** What stays from step to step: `[batch, hiddenSize]` each, the hidden state first. */
type StepState = readonly Tensor[];

/** Masks of the steps, `[batch, 1]` bool each, true inside a sequence. */
type StepMasks = readonly Tensor[] | undefined;

/** Layers and directions, which LSTM and GRU share; they differ in the cell. */
abstract class Recurrent<State> extends Module<
  [x: Tensor, options?: RecurrentCallOptions<State>],
  RecurrentResult<State>
> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = { weights: "" };
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly dropout: number;
  readonly bidirectional: boolean;
  /** By PyTorch's names: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, then `…_l0_reverse`, `…_l1`, …. */
  readonly weights: Readonly<Record<string, Parameter>>;

  constructor(inputSize: number, hiddenSize: number, numGates: number, options: RecurrentOptions) {
    super();
    const { numLayers = 1, bias = true, dropout: probability = 0, bidirectional = false } = options;
    const layer = new.target.name;
    assertIntegers(layer, { inputSize, hiddenSize, numLayers });
    assertProbability(layer, "dropout", probability);
    if (probability > 0 && numLayers === 1)
      throw new InputError(
        `${layer}: expected more than one layer for dropout between layers, got 1; use Dropout after the layer`,
      );
    this.inputSize = inputSize;
    this.hiddenSize = hiddenSize;
    this.numLayers = numLayers;
    this.dropout = probability;
    this.bidirectional = bidirectional;
    const directions = this.#directions;
    const weights: Record<string, Parameter> = {};
    const initializer = fanInUniform(hiddenSize);
    for (let depth = 0; depth < numLayers; depth++)
      for (const suffix of directions.map((direction) => `l${depth}${direction}`)) {
        const width = depth === 0 ? inputSize : directions.length * hiddenSize;
        weights[`weight_ih_${suffix}`] = new Parameter([numGates * hiddenSize, width], { initializer });
        weights[`weight_hh_${suffix}`] = new Parameter([numGates * hiddenSize, hiddenSize], { initializer });
        if (!bias) continue;
        weights[`bias_ih_${suffix}`] = new Parameter([numGates * hiddenSize], { initializer });
        weights[`bias_hh_${suffix}`] = new Parameter([numGates * hiddenSize], { initializer });
      }
    this.weights = weights;
  }

  get #directions(): readonly string[] {
    return this.bidirectional ? ["", "_reverse"] : [""];
  }

  /** Prepares a chain: what the input gives to all steps at once, `[length, batch, gates · hiddenSize]`. */
  protected abstract project(x: Tensor, weights: ChainWeights): Tensor;

  /** All steps of a chain in one op, for a cell that has one: the same as {@link step} after step, but faster. */
  protected runChain(
    _inputGates: Tensor,
    _first: StepState,
    _weights: ChainWeights,
    _reverse: boolean,
  ): { output: Tensor; state: StepState } | undefined {
    return undefined;
  }

  /** One step of a chain from `inputGates` `[batch, gates · hiddenSize]`. */
  protected abstract step(inputGates: Tensor, state: StepState, weights: ChainWeights): StepState;

  /**
   * @param x `[batch, length, inputSize]`
   * @param initial states by kind, `[numLayers · directions, batch, hiddenSize]` each; zeros when undefined
   * @returns the output and the final states by kind
   */
  protected run(
    x: Tensor,
    numStates: number,
    initial: readonly Tensor[] | undefined,
    lengths: RecurrentCallOptions<State>["lengths"],
  ): { output: Tensor; states: Tensor[] } {
    assertShape(x, ["batch", "length", "dim"], this.inputSize);
    const [batch, length] = x.shape;
    if (length === 0)
      throw new ShapeError(`expected sequences of at least one step, got ${formatShape(x.shape)}`);
    const directions = this.#directions;
    const stateShape = [this.numLayers * directions.length, batch, this.hiddenSize];
    for (const state of initial ?? []) {
      assertTensor(state, "each part of the state");
      if (state.shape.length !== 3 || state.shape.some((size, axis) => size !== stateShape[axis]))
        throw new ShapeError(`expected a state ${formatShape(stateShape)}, got ${formatShape(state.shape)}`);
    }
    const firsts = initial?.map((state) => unstack(state));
    const blank = firsts === undefined ? zeros([batch, this.hiddenSize]) : undefined;
    const masks = lengths === undefined ? undefined : stepMasks(lengths, batch, length);
    const finals: StepState[] = [];
    let sequence = transpose(x, [1, 0, 2]); // [length, batch, inputSize]
    for (let depth = 0; depth < this.numLayers; depth++) {
      if (depth > 0 && this.training) sequence = dropout(sequence, this.dropout);
      const outputs = directions.map((suffix) => {
        const weights = this.#weightsOf(`l${depth}${suffix}`);
        const first =
          firsts?.map((states) => states[finals.length]) ?? Array.from({ length: numStates }, () => blank!);
        const chain = this.#chain(sequence, first, weights, masks, suffix !== "");
        finals.push(chain.state);
        return chain.output;
      });
      sequence = concat(outputs, { axis: 2 }); // [length, batch, directions · hiddenSize]
    }
    return {
      output: transpose(sequence, [1, 0, 2]), // [batch, length, directions · hiddenSize]
      states: Array.from({ length: numStates }, (_, kind) => stack(finals.map((state) => state[kind]))),
    };
  }

  #weightsOf(suffix: string): ChainWeights {
    return {
      inputWeight: this.weights[`weight_ih_${suffix}`].value,
      hiddenWeight: this.weights[`weight_hh_${suffix}`].value,
      inputBias: this.weights[`bias_ih_${suffix}`]?.value,
      hiddenBias: this.weights[`bias_hh_${suffix}`]?.value,
    };
  }

  /** One chain through all steps. @param sequence `[length, batch, width]` @returns `output` `[length, batch, hiddenSize]` */
  #chain(
    sequence: Tensor,
    first: StepState,
    weights: ChainWeights,
    masks: StepMasks,
    reverse: boolean,
  ): { output: Tensor; state: StepState } {
    const projected = this.project(sequence, weights);
    const whole = masks === undefined ? this.runChain(projected, first, weights, reverse) : undefined;
    if (whole !== undefined) return whole;
    const gates = unstack(projected);
    const order = gates.map((_, index) => (reverse ? gates.length - 1 - index : index));
    const outputs = new Array<Tensor>(gates.length);
    let state = first;
    for (const index of order) {
      const next = this.step(gates[index], state, weights);
      if (masks === undefined) {
        state = next;
        outputs[index] = next[0];
      } else {
        const previous = state;
        state = next.map((value, kind) => where(masks[index], value, previous[kind]));
        outputs[index] = where(masks[index], next[0], 0);
      }
    }
    return { output: stack(outputs), state };
  }

  override multiplyAdds([x]: [x: Tensor, options?: RecurrentCallOptions<State>]): number {
    const perStep = Object.values(this.weights).reduce(
      (total, { shape }) => total + (shape.length === 2 ? shape[0] * shape[1] : 0),
      0,
    );
    const [batch, length]: readonly number[] = x.shape;
    return batch * length * perStep;
  }
}

/** @returns for each step `[batch, 1]` bool, true inside a sequence */
function stepMasks(lengths: Tensor | readonly number[], batch: number, length: number): Tensor[] {
  const onDevice = isTensor(lengths);
  if (onDevice) assertTensor(lengths, "lengths, or an array of numbers");
  if (onDevice ? lengths.shape.length !== 1 || lengths.shape[0] !== batch : lengths.length !== batch)
    throw new ShapeError(
      `expected lengths [${batch}], got ${onDevice ? formatShape(lengths.shape) : `[${lengths.length}]`}`,
    );
  if (
    onDevice
      ? lengths.dtype !== "int32"
      : lengths.some((steps) => !Number.isInteger(steps) || steps < 1 || steps > length)
  )
    throw new InputError(
      `expected int32 lengths in [1, ${length}], got ${onDevice ? lengths.dtype : `[${lengths.join(", ")}]`}`,
    );
  const steps = onDevice ? lengths : tensor(Int32Array.from(lengths));
  const indices = tensor(
    Int32Array.from({ length }, (_, index) => index),
    [length, 1],
  );
  return unstack(expandDims(less(indices, steps), -1)); // [length, batch, 1]
}

/** What a chain ends with. @param states `[length, batch, hiddenSize]` @returns `[batch, hiddenSize]` */
function lastStep(states: Tensor, reverse: boolean): Tensor {
  const start = reverse ? 0 : states.shape[0] - 1;
  return squeeze(narrow(states, { axis: 0, start, length: 1 }), { axes: 0 });
}

function isTensor(value: Tensor | readonly number[]): value is Tensor {
  return !Array.isArray(value);
}

/**
 * Long short-term memory over `[batch, length, dim]`. Each step: `i, f, g, o = Wᵢ·x + bᵢ + Wₕ·h + bₕ`,
 * `c = σ(f)·c + σ(i)·tanh(g)`, `h = σ(o)·tanh(c)`.
 *
 * Parameters, PyTorch's names, from U(±1/√hiddenSize): `weight_ih_lK` `[4·hiddenSize, width]`,
 * `weight_hh_lK` `[4·hiddenSize, hiddenSize]`, `bias_ih_lK` and `bias_hh_lK` `[4·hiddenSize]`, with `_reverse` for the chain from the end.
 * @see Hochreiter, Schmidhuber (1997), "Long short-term memory", https://doi.org/10.1162/neco.1997.9.8.1735
 * @example
 * const lstm = new LSTM(28, 128, { numLayers: 2 });
 * const { output, state } = lstm.call(x); // x [batch, length, 28], output [batch, length, 128]
 * const next = lstm.call(more, { state });
 */
export class LSTM extends Recurrent<LSTMState> {
  /** @throws InputError for sizes out of range, or dropout with one layer. */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(inputSize, hiddenSize, 4, options);
  }

  /**
   * @param x `[batch, length, inputSize]`
   * @returns `output` `[batch, length, directions · hiddenSize]` and the final `state`
   * @throws ShapeError or InputError for an input, state or lengths that do not fit.
   */
  protected forward(
    x: Tensor,
    { state, lengths }: RecurrentCallOptions<LSTMState> = {},
  ): RecurrentResult<LSTMState> {
    const { output, states } = this.run(x, 2, state && [state.hidden, state.cell], lengths);
    return { output, state: { hidden: states[0], cell: states[1] } };
  }

  protected project(x: Tensor, { inputWeight, inputBias, hiddenBias }: ChainWeights): Tensor {
    return linear(x, inputWeight, inputBias && hiddenBias && add(inputBias, hiddenBias));
  }

  protected override runChain(
    inputGates: Tensor,
    [hidden, cell]: StepState,
    { hiddenWeight }: ChainWeights,
    reverse: boolean,
  ): { output: Tensor; state: StepState } {
    const states = lstmSequence(inputGates, hiddenWeight, { hidden, cell, reverse });
    return {
      output: states.hidden,
      state: [lastStep(states.hidden, reverse), lastStep(states.cell, reverse)],
    };
  }

  protected step(inputGates: Tensor, [hidden, cell]: StepState, { hiddenWeight }: ChainWeights): StepState {
    const next = lstmCell(add(inputGates, matMul(hidden, hiddenWeight, { transposeB: true })), cell);
    return [next.hidden, next.cell];
  }
}

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
  /** @throws InputError for sizes out of range, or dropout with one layer. */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super(inputSize, hiddenSize, 3, options);
  }

  /**
   * @param x `[batch, length, inputSize]`
   * @returns `output` `[batch, length, directions · hiddenSize]` and the final `state` `[numLayers · directions, batch, hiddenSize]`
   * @throws ShapeError or InputError for an input, state or lengths that do not fit.
   */
  protected forward(
    x: Tensor,
    { state, lengths }: RecurrentCallOptions<Tensor> = {},
  ): RecurrentResult<Tensor> {
    const { output, states } = this.run(x, 1, state && [state], lengths);
    return { output, state: states[0] };
  }

  protected project(x: Tensor, { inputWeight, inputBias }: ChainWeights): Tensor {
    return linear(x, inputWeight, inputBias);
  }

  protected override runChain(
    inputGates: Tensor,
    [hidden]: StepState,
    { hiddenWeight, hiddenBias }: ChainWeights,
    reverse: boolean,
  ): { output: Tensor; state: StepState } {
    const output = gruSequence(inputGates, hiddenWeight, { hidden, hiddenBias, reverse });
    return { output, state: [lastStep(output, reverse)] };
  }

  protected step(
    inputGates: Tensor,
    [hidden]: StepState,
    { hiddenWeight, hiddenBias }: ChainWeights,
  ): StepState {
    return [gruCell(inputGates, linear(hidden, hiddenWeight, hiddenBias), hidden)];
  }
}
