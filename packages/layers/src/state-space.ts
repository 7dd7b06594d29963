import {
  add,
  clip,
  concat,
  conv1d,
  exp,
  expandDims,
  expm1,
  InputError,
  linearScan,
  log,
  mul,
  narrow,
  neg,
  pad,
  randomUniform,
  ShapeError,
  selectiveScan,
  silu,
  softplus,
  split,
  squeeze,
  sum,
  type Tensor,
  tensor,
  tidy,
  zeros,
} from "@ai/tensor";
import { assertIntegers, assertShape, assertTensor, formatShape } from "./checks.js";
import { constant, fanInUniform } from "./initializers.js";
import { nameLayer } from "./layer-error.js";
import { Linear } from "./linear.js";
import { Module } from "./module.js";
import { type Initializer, Parameter } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link Mamba}. */
export interface MambaOptions {
  /** Numbers of state a channel. Default 16. */
  readonly stateSize?: number;
  /** Width inside over `dim`. Default 2. */
  readonly expand?: number;
  /** Steps that the convolution in front of the recurrence sees. Default 4. */
  readonly convKernel?: number;
  /** Rank of the step sizes. Default `⌈dim / 16⌉`. */
  readonly timeStepRank?: number;
  /** Whether the projections into and out of the block have biases (`use_bias`). Default false. */
  readonly bias?: boolean;
  /** Whether the convolution has a bias (`use_conv_bias`). Default true. */
  readonly convBias?: boolean;
}

/** What a {@link Mamba} block carries from one piece of a sequence to the next: of one size however long the past is. */
export interface MambaState {
  /** The last inputs of the convolution, `[batch, convKernel − 1, innerDim]`. */
  readonly conv: Tensor;
  /** The states of the recurrence, `[batch, innerDim, stateSize]`. */
  readonly scan: Tensor;
}

/** What {@link Mamba.advance} gives. */
export interface MambaResult {
  /** `[batch, length, dim]` */
  readonly output: Tensor;
  /** For the next piece. */
  readonly state: MambaState;
}

/** ln 1, ln 2, … ln stateSize in every channel: S4D-real. */
const logOfSteps: Initializer = (shape) => {
  const [channels, states] = shape;
  return tensor(
    Float32Array.from({ length: channels * states }, (_, index) => Math.log((index % states) + 1)),
    [channels, states],
  );
};

/** Biases whose softplus lies between 0.001 and 0.1, log-uniform. */
const inverseSoftplusOfSteps: Initializer = (shape, generator) => {
  const range = { min: Math.log(0.001), max: Math.log(0.1), generator };
  return tidy(() => {
    const steps = clip(exp(randomUniform(shape, range)), { min: 1e-4 });
    return add(steps, log(neg(expm1(neg(steps))))); // softplus⁻¹
  });
};

/**
 * A selective state-space block: each channel carries `stateSize` numbers along,
 * `h[t] = exp(Δ[t]·A)·h[t−1] + Δ[t]·B[t]·x[t]`, `y[t] = C[t]·h[t] + D·x[t]`, where Δ, B and C are read from the input.
 * A gated branch and a short causal convolution are around it. Time and memory grow with the length, not its square.
 *
 * Parameters, Hugging Face's names: `in_proj.weight`, `conv1d.weight`, `conv1d.bias`, `x_proj.weight`, `dt_proj.weight`,
 * `dt_proj.bias`, `A_log`, `D`, `out_proj.weight`; with `bias` also `in_proj.bias`, `out_proj.bias`.
 * @see Gu, Dao (2023), "Mamba: linear-time sequence modeling with selective state spaces", https://arxiv.org/abs/2312.00752
 * @example
 * const mamba = new Mamba(256);
 * const y = mamba.call(x); // x and y [batch, length, 256]
 * const { output, state } = mamba.advance(prompt);
 * const next = mamba.advance(token, state); // token [batch, 1, 256]
 */
export class Mamba extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    inProjection: "in_proj",
    convWeight: "conv1d.weight",
    convBias: "conv1d.bias",
    xProjection: "x_proj",
    timeStepProjection: "dt_proj",
    logA: "A_log",
    skip: "D",
    outProjection: "out_proj",
  };
  readonly dim: number;
  readonly innerDim: number;
  readonly stateSize: number;
  readonly timeStepRank: number;
  readonly inProjection: Linear;
  readonly convWeight: Parameter;
  readonly convBias: Parameter | undefined;
  readonly xProjection: Linear;
  readonly timeStepProjection: Linear;
  readonly logA: Parameter;
  readonly skip: Parameter;
  readonly outProjection: Linear;

  /** @throws InputError for sizes that are not positive integers. */
  constructor(dim: number, options: MambaOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, [
      "stateSize",
      "expand",
      "convKernel",
      "timeStepRank",
      "bias?",
      "convBias?",
    ]);
    const { stateSize = 16, expand = 2, convKernel = 4, timeStepRank = Math.ceil(dim / 16) } = options;
    const { bias = false, convBias = true } = options;
    if (typeof expand !== "number")
      throw new InputError(`Mamba: expected expand as a number, got ${typeof expand}`);
    const innerDim = expand * dim;
    assertIntegers("Mamba", { dim, stateSize, convKernel, timeStepRank, innerDim });
    this.dim = dim;
    this.innerDim = innerDim;
    this.stateSize = stateSize;
    this.timeStepRank = timeStepRank;
    this.inProjection = new Linear(dim, 2 * innerDim, { bias });
    this.convWeight = new Parameter([convKernel, 1, innerDim], {
      initializer: fanInUniform(convKernel),
      checkpointPermutation: [2, 1, 0],
    });
    this.convBias = convBias
      ? new Parameter([innerDim], { initializer: fanInUniform(convKernel) })
      : undefined;
    this.xProjection = new Linear(innerDim, timeStepRank + 2 * stateSize, { bias: false });
    this.timeStepProjection = new Linear(timeStepRank, innerDim, {
      biasInitializer: inverseSoftplusOfSteps,
    });
    this.logA = new Parameter([innerDim, stateSize], { initializer: logOfSteps });
    this.skip = new Parameter([innerDim], { initializer: constant(1) });
    this.outProjection = new Linear(innerDim, dim, { bias });
  }

  /**
   * @param x `[batch, length, dim]`
   * @returns `[batch, length, dim]`
   * @throws ShapeError for another rank or dim.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "length", "dim"], this.dim);
    const [hidden, gate] = split(this.inProjection.call(x), 2, { axis: 2 }); // [batch, length, innerDim] each
    const [kernel] = this.convWeight.shape;
    const padded = pad(hidden, [
      [0, 0],
      [kernel - 1, 0],
      [0, 0],
    ]); // [batch, length + kernel − 1, innerDim]
    const { mixed, step, a, b, c } = this.#select(padded);
    const output = selectiveScan(mixed, step, { a, b, c, d: this.skip.value });
    return this.outProjection.call(mul(output, silu(gate)));
  }

  /**
   * The next piece of a sequence, a token or many: pieces one after the other give what {@link call} gives for the whole, each
   * in time and memory that do not grow with what was before. Hooks of this module itself do not run.
   * @param x `[batch, length, dim]`
   * @param state What the piece before gave back; it stays the caller's. Default: the beginning.
   * @returns `output` `[batch, length, dim]` and the `state` behind it, the caller's
   * @throws ShapeError for another rank or dim, or a state of another shape.
   */
  advance(x: Tensor, state?: MambaState): MambaResult {
    try {
      return tidy(() => {
        assertShape(x, ["batch", "length", "dim"], this.dim);
        if (!this.skip.hasValue) this.parameters();
        return this.#advance(x, this.#stateOrBeginning(x.shape[0], state));
      });
    } catch (error) {
      throw nameLayer(error, this.constructor.name);
    }
  }

  #advance(x: Tensor, before: MambaState): MambaResult {
    const [batch, length]: readonly number[] = x.shape;
    const [hidden, gate] = split(this.inProjection.call(x), 2, { axis: 2 }); // [batch, length, innerDim] each
    const [kernel] = this.convWeight.shape;
    const whole = concat([before.conv, hidden], { axis: 1 }); // [batch, length + kernel − 1, innerDim]
    const { mixed, step, a, b, c } = this.#select(whole);
    const decay = exp(mul(expandDims(step, 3), a)); // [batch, length, innerDim, stateSize]
    const written = mul(expandDims(mul(step, mixed), 3), expandDims(b, 2));
    // a step in front that forgets everything and writes the state
    const states = linearScan(
      concat([zeros([batch, 1, this.innerDim, this.stateSize]), decay], { axis: 1 }),
      concat([expandDims(before.scan, 1), written], { axis: 1 }),
    ); // [batch, length + 1, innerDim, stateSize]
    const at = (start: number, count: number): Tensor => narrow(states, { axis: 1, start, length: count });
    const output = add(sum(mul(at(1, length), expandDims(c, 2)), { axes: 3 }), mul(mixed, this.skip.value)); // [batch, length, innerDim]
    return {
      output: this.outProjection.call(mul(output, silu(gate))),
      state: {
        conv: narrow(whole, { axis: 1, start: length, length: kernel - 1 }),
        scan: squeeze(at(length, 1), { axes: 1 }),
      },
    };
  }

  #stateOrBeginning(batch: number, state: MambaState | undefined): MambaState {
    const conv = [batch, this.convWeight.shape[0] - 1, this.innerDim];
    const scan = [batch, this.innerDim, this.stateSize];
    if (state === undefined) return { conv: zeros(conv), scan: zeros(scan) };
    assertTensor(state.conv, "state.conv");
    assertTensor(state.scan, "state.scan");
    if (state.conv.shape.join() !== conv.join() || state.scan.shape.join() !== scan.join())
      throw new ShapeError(
        `expected a state { conv ${formatShape(conv)}, scan ${formatShape(scan)} }, got ${formatShape(state.conv.shape)} and ${formatShape(state.scan.shape)}; pass the one that advance() gave for this batch`,
      );
    return state;
  }

  /** What the recurrence reads from the input. @param padded `[batch, length + kernel − 1, innerDim]` */
  #select(padded: Tensor): { mixed: Tensor; step: Tensor; a: Tensor; b: Tensor; c: Tensor } {
    const { innerDim, stateSize, timeStepRank } = this;
    const mixed = silu(
      conv1d(padded, this.convWeight.value, { groups: innerDim, bias: this.convBias?.value }),
    ); // [batch, length, innerDim]
    const [rank, b, c] = split(this.xProjection.call(mixed), [timeStepRank, stateSize, stateSize], {
      axis: 2,
    });
    const step = softplus(this.timeStepProjection.call(rank)); // [batch, length, innerDim]
    return { mixed, step, a: neg(exp(this.logA.value)), b, c }; // a [innerDim, stateSize]
  }

  override multiplyAdds([x]: [x: Tensor]): number {
    const steps = x.size / this.dim;
    return steps * this.innerDim * (this.convWeight.shape[0] + 4 * this.stateSize);
  }
}
