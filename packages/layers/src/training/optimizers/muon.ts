import { add, clip, div, InputError, matMul, mul, neg, norm, sub, type Tensor, transpose } from "@ai/tensor";
import type { Parameter } from "../../parameter.js";
import { fromCheckpointLayout, toCheckpointLayout } from "./checkpoint-layout.js";
import {
  assertNotNegative,
  assertShare,
  Optimizer,
  type OptimizerBuffer,
  type OptimizerGroupInput,
  type UpdateContext,
} from "./optimizer.js";
import { lerp, updateByOps } from "./plain-update.js";

/** Options of {@link Muon}; the defaults are PyTorch's. */
export interface MuonOptions {
  /** Default 0.001. */
  readonly learningRate: number;
  /** Decay of the parameter itself. Default 0.1. */
  readonly weightDecay: number;
  /** Share of the last step that the next one keeps. Default 0.95. */
  readonly momentum: number;
  /** Look ahead along the momentum. Default true. */
  readonly nesterov: boolean;
  /** Of the quintic `aX + bXXᵀX + c(XXᵀ)²X`. Default [3.4445, −4.775, 2.0315]. */
  readonly coefficients: readonly [number, number, number];
  /** Smallest length that a matrix is divided by. Default 1e-7. */
  readonly epsilon: number;
  /** Iterations of the quintic. Default 5. */
  readonly iterations: number;
  /**
   * Factor of the rate: "original" `√max(1, rows / columns)` (default), or "matchRmsAdamw" `0.2 · √max(rows, columns)`,
   * with which AdamW's learning rate and decay can be kept.
   */
  readonly adjustment: "original" | "matchRmsAdamw";
  /** Climb instead of descend. Default false. */
  readonly maximize: boolean;
}

const DEFAULTS: MuonOptions = {
  learningRate: 1e-3,
  weightDecay: 0.1,
  momentum: 0.95,
  nesterov: true,
  coefficients: [3.4445, -4.775, 2.0315],
  epsilon: 1e-7,
  iterations: 5,
  adjustment: "original",
  maximize: false,
};
/** The share of AdamW's usual root mean square in "matchRmsAdamw" (Liu et al. 2025). */
const ADAMW_RMS = 0.2;

/**
 * Momentum whose matrix is made nearly orthogonal by Newton–Schulz iterations, so that all its directions move alike;
 * as `torch.optim.Muon`, but with the iterations in float32 where PyTorch uses bfloat16. For the matrices inside a
 * network: give embeddings, heads, biases and norms to AdamW.
 * @see Jordan et al. (2024), "Muon: An optimizer for hidden layers in neural networks", https://kellerjordan.github.io/posts/muon/
 * @see Liu et al. (2025), "Muon is Scalable for LLM Training", https://arxiv.org/abs/2502.16982 (matchRmsAdamw)
 * @example
 * const matrices = model.parameters().filter(({ shape }) => shape.length === 2);
 * const optimizer = new Muon(matrices, { learningRate: 0.02 });
 */
export class Muon extends Optimizer<MuonOptions> {
  protected override readonly kind = "Muon";

  /** @throws InputError for options out of range, or a parameter that is no matrix. */
  constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<MuonOptions>[],
    options: Partial<MuonOptions> = {},
  ) {
    super(parameters, DEFAULTS, options);
    const other = this.parameters.find(({ shape }) => shape.length !== 2);
    if (other !== undefined)
      throw new InputError(
        `Muon: expected parameters of two axes, got shape [${other.shape.join(", ")}]; give the others to AdamW`,
      );
  }

  protected override assertOptions(options: MuonOptions): void {
    const { learningRate, weightDecay, momentum, epsilon, coefficients, iterations, adjustment } = options;
    assertNotNegative("Muon", { learningRate, weightDecay, epsilon });
    assertShare("Muon", "momentum", momentum);
    if (!Array.isArray(coefficients) || coefficients.length !== 3 || !coefficients.every(Number.isFinite))
      throw new InputError(`Muon: expected three finite coefficients, got ${String(coefficients)}`);
    if (!Number.isInteger(iterations) || iterations < 0 || iterations >= 100)
      throw new InputError(`Muon: expected an integer of iterations in [0, 100), got ${iterations}`);
    if (adjustment !== "original" && adjustment !== "matchRmsAdamw")
      throw new InputError(`Muon: expected adjustment original or matchRmsAdamw, got ${String(adjustment)}`);
  }

  protected override update(
    target: { value: Tensor },
    gradient: Tensor,
    options: MuonOptions,
    buffer: (name: string) => OptimizerBuffer,
    { parameter: owner }: UpdateContext,
  ): void {
    const { learningRate, weightDecay, momentum, nesterov, adjustment, maximize } = options;
    const [rows, columns] = owner.checkpointShape;
    const factor =
      adjustment === "original"
        ? Math.sqrt(Math.max(1, rows / columns))
        : ADAMW_RMS * Math.sqrt(Math.max(rows, columns));
    updateByOps(target, gradient, { momentum: buffer("momentum") }, (old) => {
      const direction = maximize ? neg(gradient) : gradient;
      const moved = lerp(old.momentum, direction, 1 - momentum);
      const step = nesterov ? lerp(direction, moved, momentum) : moved;
      const even = orthogonalized(toCheckpointLayout(owner, step), options);
      const shrunk = mul(target.value, 1 - learningRate * weightDecay);
      const parameter = sub(shrunk, mul(fromCheckpointLayout(owner, even), learningRate * factor));
      return { parameter, momentum: moved };
    });
  }
}

/** A matrix with its singular values moved near 1. @param x `[rows, columns]` @returns `[rows, columns]` */
function orthogonalized(x: Tensor, { coefficients, iterations, epsilon }: MuonOptions): Tensor {
  const [a, b, c] = coefficients;
  const [rows, columns]: readonly number[] = x.shape;
  const isTall = rows > columns;
  const wide = isTall ? transpose(x) : x; // [short, long]
  let even = div(wide, clip(norm(wide), { min: epsilon }));
  for (let iteration = 0; iteration < iterations; iteration++) {
    const gram = matMul(even, even, { transposeB: true }); // [short, short]
    const polynomial = add(mul(gram, b), mul(matMul(gram, gram), c)); // [short, short]
    even = add(mul(even, a), matMul(polynomial, even)); // [short, long]
  }
  return isTall ? transpose(even) : even;
}
