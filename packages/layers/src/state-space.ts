import {
  add,
  clip,
  conv1d,
  exp,
  expm1,
  log,
  mul,
  neg,
  pad,
  randomUniform,
  selectiveScan,
  silu,
  softplus,
  split,
  type Tensor,
  tensor,
  tidy,
} from "@ai/tensor";
import { assertIntegers, assertShape } from "./checks.js";
import { constant, fanInUniform } from "./initializers.js";
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
 * `dt_proj.bias`, `A_log`, `D`, `out_proj.weight`.
 * @see Gu, Dao (2023), "Mamba: linear-time sequence modeling with selective state spaces", https://arxiv.org/abs/2312.00752
 * @example
 * const y = new Mamba(256).call(x); // x and y [batch, length, 256]
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
  readonly convBias: Parameter;
  readonly xProjection: Linear;
  readonly timeStepProjection: Linear;
  readonly logA: Parameter;
  readonly skip: Parameter;
  readonly outProjection: Linear;

  /** @throws InputError for sizes that are not positive integers. */
  constructor(dim: number, options: MambaOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["stateSize", "expand", "convKernel", "timeStepRank"]);
    const { stateSize = 16, expand = 2, convKernel = 4, timeStepRank = Math.ceil(dim / 16) } = options;
    const innerDim = expand * dim;
    assertIntegers("Mamba", { dim, stateSize, convKernel, timeStepRank, innerDim });
    this.dim = dim;
    this.innerDim = innerDim;
    this.stateSize = stateSize;
    this.timeStepRank = timeStepRank;
    this.inProjection = new Linear(dim, 2 * innerDim, { bias: false });
    this.convWeight = new Parameter([convKernel, 1, innerDim], {
      initializer: fanInUniform(convKernel),
      checkpointPermutation: [2, 1, 0],
    });
    this.convBias = new Parameter([innerDim], { initializer: fanInUniform(convKernel) });
    this.xProjection = new Linear(innerDim, timeStepRank + 2 * stateSize, { bias: false });
    this.timeStepProjection = new Linear(timeStepRank, innerDim, {
      biasInitializer: inverseSoftplusOfSteps,
    });
    this.logA = new Parameter([innerDim, stateSize], { initializer: logOfSteps });
    this.skip = new Parameter([innerDim], { initializer: constant(1) });
    this.outProjection = new Linear(innerDim, dim, { bias: false });
  }

  /**
   * @param x `[batch, length, dim]`
   * @returns `[batch, length, dim]`
   * @throws ShapeError for another rank or dim.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "length", "dim"], this.dim);
    const { innerDim, stateSize, timeStepRank } = this;
    const [hidden, gate] = split(this.inProjection.call(x), 2, { axis: 2 }); // [batch, length, innerDim] each
    const [kernel] = this.convWeight.shape;
    const padded = pad(hidden, [
      [0, 0],
      [kernel - 1, 0],
      [0, 0],
    ]); // [batch, length + kernel − 1, innerDim]
    const mixed = silu(
      conv1d(padded, this.convWeight.value, { groups: innerDim, bias: this.convBias.value }),
    ); // [batch, length, innerDim]
    const [rank, b, c] = split(this.xProjection.call(mixed), [timeStepRank, stateSize, stateSize], {
      axis: 2,
    });
    const step = softplus(this.timeStepProjection.call(rank)); // [batch, length, innerDim]
    const a = neg(exp(this.logA.value)); // [innerDim, stateSize]
    const output = selectiveScan(mixed, step, { a, b, c, d: this.skip.value });
    return this.outProjection.call(mul(output, silu(gate)));
  }

  override multiplyAdds([x]: [x: Tensor]): number {
    const steps = x.size / this.dim;
    return steps * this.innerDim * (this.convWeight.shape[0] + 4 * this.stateSize);
  }
}
