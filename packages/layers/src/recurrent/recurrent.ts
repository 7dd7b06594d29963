import {
  concat,
  InputError,
  narrow,
  ShapeError,
  squeeze,
  stack,
  type Tensor,
  transpose,
  unstack,
  where,
  zeros,
} from "@ai/tensor";
import { assertIntegers, assertProbability, assertShape, assertTensor, formatShape } from "../checks.js";
import { dropout } from "../dropout.js";
import { fanInUniform } from "../initializers.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import { assertOptionNames } from "../training/option-names.js";
import {
  clearPadding,
  lastWithin,
  lengthTensor,
  reverseWithin,
  type SequenceLengths,
  type SequenceMask,
  sequenceMask,
} from "./lengths.js";

/** Options of {@link RNN}, {@link LSTM} and {@link GRU}. */
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

/** Options of a call of {@link RNN}, {@link LSTM} and {@link GRU}. */
export interface RecurrentCallOptions<State> {
  /** State before the first step. Default zeros. */
  readonly state?: State;
  /**
   * Steps of each sequence, `[batch]` int32 or plain numbers from 0 to the length of `x`, in any order. What follows is
   * padding, as in PyTorch's packed sequences: nothing there is read (NaN included), the output there is 0, the final
   * state is that after the last step, the reverse chain starts there and the gradient there is 0. A sequence of no
   * step keeps its first state. Default: all steps.
   */
  readonly lengths?: SequenceLengths;
}

/** What a call of {@link RNN}, {@link LSTM} or {@link GRU} gives. */
export interface RecurrentResult<State> {
  /** Hidden states of the last layer, `[batch, length, directions · hiddenSize]` (`projSize` of a projected LSTM). */
  readonly output: Tensor;
  /** State after the last step. */
  readonly state: State;
}

/** Parameters of one chain. */
export interface ChainWeights {
  readonly inputWeight: Tensor;
  readonly hiddenWeight: Tensor;
  readonly inputBias: Tensor | undefined;
  readonly hiddenBias: Tensor | undefined;
  /** Only of a projected LSTM. */
  readonly projection: Tensor | undefined;
}

/** What stays from step to step: `[batch, size]` each, the hidden state first. */
export type StepState = readonly Tensor[];

/** What a chain gives. */
interface ChainResult {
  readonly output: Tensor;
  readonly state: StepState;
}

/** Sizes of a recurrent layer by what its kind decides. */
interface CellSizes {
  readonly numGates: number;
  /** Width of each kind of state, the hidden state first. */
  readonly stateSizes: readonly number[];
}

/** Layers and directions, which RNN, LSTM and GRU share; they differ in the cell. */
export abstract class Recurrent<State> extends Module<
  [x: Tensor, options?: RecurrentCallOptions<State>],
  RecurrentResult<State>
> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = { weights: "" };
  static override readonly quantizableWeights: RegExp | undefined = /^weight_/;
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly dropout: number;
  readonly bidirectional: boolean;
  /** By PyTorch's names: `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, then `…_l0_reverse`, `…_l1`, …. */
  readonly weights: Readonly<Record<string, Parameter>>;
  readonly #stateSizes: readonly number[];

  constructor(
    inputSize: number,
    hiddenSize: number,
    { numGates, stateSizes, ...options }: RecurrentOptions & CellSizes,
  ) {
    super();
    const layer = new.target.name;
    const { numLayers = 1, bias = true, dropout: probability = 0, bidirectional = false } = options;
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
    this.#stateSizes = stateSizes;
    const directions = this.#directions;
    const [outputSize] = stateSizes;
    const weights: Record<string, Parameter> = {};
    const initializer = fanInUniform(hiddenSize);
    for (let depth = 0; depth < numLayers; depth++)
      for (const suffix of directions.map((direction) => `l${depth}${direction}`)) {
        const width = depth === 0 ? inputSize : directions.length * outputSize;
        weights[`weight_ih_${suffix}`] = new Parameter([numGates * hiddenSize, width], { initializer });
        weights[`weight_hh_${suffix}`] = new Parameter([numGates * hiddenSize, outputSize], { initializer });
        if (bias) {
          weights[`bias_ih_${suffix}`] = new Parameter([numGates * hiddenSize], { initializer });
          weights[`bias_hh_${suffix}`] = new Parameter([numGates * hiddenSize], { initializer });
        }
        if (outputSize !== hiddenSize)
          weights[`weight_hr_${suffix}`] = new Parameter([outputSize, hiddenSize], { initializer });
      }
    this.weights = weights;
  }

  get #directions(): readonly string[] {
    return this.bidirectional ? ["", "_reverse"] : [""];
  }

  /** Prepares a chain: what the input gives to all steps at once, `[length, batch, gates · hiddenSize]`. */
  protected abstract project(x: Tensor, weights: ChainWeights): Tensor;

  /** All steps of a chain in one op, for a cell that has one. @returns each kind of state `[length, batch, size]` */
  protected runChain(
    _inputGates: Tensor,
    _first: StepState,
    _options: { readonly weights: ChainWeights; readonly reverse: boolean },
  ): readonly Tensor[] | undefined {
    return undefined;
  }

  /** One step of a chain from `inputGates` `[batch, gates · hiddenSize]`. */
  protected abstract step(inputGates: Tensor, state: StepState, weights: ChainWeights): StepState;

  /**
   * @param x `[batch, length, inputSize]`
   * @param initial states by kind, `[numLayers · directions, batch, size]` each; zeros when undefined
   * @param options as the call's
   * @returns the output and the final states by kind
   */
  protected run(
    x: Tensor,
    initial: readonly Tensor[] | undefined,
    options: RecurrentCallOptions<State> | undefined,
  ): { output: Tensor; states: Tensor[] } {
    if (options !== undefined)
      assertOptionNames("call", options as RecurrentCallOptions<unknown>, ["state", "lengths"]);
    const lengths = options?.lengths;
    assertShape(x, ["batch", "length", "dim"], this.inputSize);
    const [batch, length]: readonly number[] = x.shape;
    if (length === 0)
      throw new ShapeError(`expected sequences of at least one step, got ${formatShape(x.shape)}`);
    const directions = this.#directions;
    const firsts = this.#firstStates(initial, batch);
    const mask =
      lengths === undefined ? undefined : sequenceMask(lengthTensor(lengths, batch, length), batch, length);
    const finals: StepState[] = [];
    let sequence = transpose(x, [1, 0, 2]); // [length, batch, inputSize]
    if (mask !== undefined) sequence = clearPadding(sequence, mask);
    for (let depth = 0; depth < this.numLayers; depth++) {
      if (depth > 0 && this.training) sequence = dropout(sequence, this.dropout);
      const outputs = directions.map((suffix) => {
        const first = firsts.map((states) => states[finals.length % states.length]);
        const weights = this.#weightsOf(`l${depth}${suffix}`);
        const chain = this.#chain(sequence, first, { weights, mask, reverse: suffix !== "" });
        finals.push(chain.state);
        return chain.output;
      });
      sequence = concat(outputs, { axis: 2 }); // [length, batch, directions · size]
    }
    return {
      output: transpose(sequence, [1, 0, 2]), // [batch, length, directions · size]
      states: firsts.map((_, kind) => stack(finals.map((state) => state[kind]))),
    };
  }

  /** By kind, the first states of every chain `[batch, size]`: one for all where none are given. */
  #firstStates(initial: readonly Tensor[] | undefined, batch: number): Tensor[][] {
    if (initial === undefined) return this.#stateSizes.map((size) => [zeros([batch, size])]);
    return this.#stateSizes.map((size, kind) => {
      const state = initial[kind];
      assertTensor(state, "each part of the state");
      const shape = [this.numLayers * this.#directions.length, batch, size];
      if (state.shape.length !== 3 || state.shape.some((extent, axis) => extent !== shape[axis]))
        throw new ShapeError(`expected a state ${formatShape(shape)}, got ${formatShape(state.shape)}`);
      return unstack(state);
    });
  }

  #weightsOf(suffix: string): ChainWeights {
    return {
      inputWeight: this.weights[`weight_ih_${suffix}`].value,
      hiddenWeight: this.weights[`weight_hh_${suffix}`].value,
      inputBias: this.weights[`bias_ih_${suffix}`]?.value,
      hiddenBias: this.weights[`bias_hh_${suffix}`]?.value,
      projection: this.weights[`weight_hr_${suffix}`]?.value,
    };
  }

  /** One chain through all steps. @param sequence `[length, batch, width]` @returns `output` `[length, batch, size]` */
  #chain(
    sequence: Tensor,
    first: StepState,
    options: {
      readonly weights: ChainWeights;
      readonly mask: SequenceMask | undefined;
      readonly reverse: boolean;
    },
  ): ChainResult {
    const { weights, mask, reverse } = options;
    // with lengths a reverse chain runs forward over sequences that are turned round, the padding behind them
    const turned = reverse && mask !== undefined;
    const gates = this.project(turned ? reverseWithin(sequence, mask) : sequence, weights);
    const backwards = reverse && !turned;
    const states =
      this.runChain(gates, first, { weights, reverse: backwards }) ??
      this.#runSteps(gates, first, { weights, mask, reverse: backwards });
    if (mask === undefined) return { output: states[0], state: states.map((each) => endOf(each, backwards)) };
    const output = clearPadding(turned ? reverseWithin(states[0], mask) : states[0], mask);
    return { output, state: states.map((each, kind) => lastWithin(each, first[kind], mask)) };
  }

  /** Step after step. States stand still in the padding: without bounds (ReLU) they could overflow there. */
  #runSteps(
    gates: Tensor,
    first: StepState,
    options: {
      readonly weights: ChainWeights;
      readonly mask: SequenceMask | undefined;
      readonly reverse: boolean;
    },
  ): Tensor[] {
    const { weights, mask, reverse } = options;
    const steps = unstack(gates);
    const masks = mask && unstack(mask.inside);
    const states: StepState[] = new Array(steps.length);
    let state = first;
    for (let position = 0; position < steps.length; position++) {
      const index = reverse ? steps.length - 1 - position : position;
      const before = state;
      const next = this.step(steps[index], before, weights);
      state =
        masks === undefined ? next : next.map((value, kind) => where(masks[index], value, before[kind]));
      states[index] = state;
    }
    return first.map((_, kind) => stack(states.map((each) => each[kind])));
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

/** What a chain ends with. @param states `[length, batch, size]` @returns `[batch, size]` */
function endOf(states: Tensor, reverse: boolean): Tensor {
  const start = reverse ? 0 : states.shape[0] - 1;
  return squeeze(narrow(states, { axis: 0, start, length: 1 }), { axes: 0 });
}
