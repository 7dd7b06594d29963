import {
  add,
  arange,
  clip,
  crossEntropy,
  div,
  InputError,
  matMul,
  mul,
  norm,
  ShapeError,
  type Tensor,
  tidy,
  transpose,
} from "@ai/tensor";
import { formatShape } from "../../checks.js";
import { assertOptionNames } from "../option-names.js";
import { assertFloat, assertReduction, assertSameShape, type Reduction } from "./reduction.js";

const OPTIONS = ["temperature", "normalize?", "symmetric?", "reduction"] as const;
/** PyTorch's bound of a length in `F.normalize`. */
const SMALLEST_LENGTH = 1e-12;

/** Options of {@link infoNceLoss}. */
export interface InfoNceLossOptions {
  /** Divides the similarities: a number above 0, or a tensor `[]` that is learned. Default 0.07. */
  readonly temperature?: number | Tensor;
  /** Compare by cosine: vectors are scaled to length 1 first. Default true. */
  readonly normalize?: boolean;
  /** Mean of both directions, queries among keys and keys among queries, as CLIP has it. Default false. */
  readonly symmetric?: boolean;
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/**
 * Contrastive loss: query `i` has to find key `i` among the keys of the batch,
 * `−log(exp(qᵢ·kᵢ/τ) / Σⱼ exp(qᵢ·kⱼ/τ))`.
 * @param queries `[batch, dim]` @param keys `[batch, dim]`; row `i` of both belongs together.
 * @returns `[]`, or `[batch]` with reduction "none".
 * @throws ShapeError when the shapes do not fit, InputError for other dtypes or options.
 * @see van den Oord, Li, Vinyals (2018), "Representation Learning with Contrastive Predictive Coding",
 * https://arxiv.org/abs/1807.03748
 * @see Radford et al. (2021), "Learning Transferable Visual Models From Natural Language Supervision",
 * https://arxiv.org/abs/2103.00020 (symmetric)
 * @example
 * const loss = infoNceLoss(imageEncoder.call(images), textEncoder.call(texts), { symmetric: true });
 */
export function infoNceLoss(queries: Tensor, keys: Tensor, options: InfoNceLossOptions = {}): Tensor {
  assertInfoNceOptions("infoNceLoss", options);
  const { temperature = 0.07, normalize = true, symmetric = false, reduction = "mean" } = options;
  assertFloat("infoNceLoss", "queries", queries);
  assertFloat("infoNceLoss", "keys", keys);
  if (queries.shape.length !== 2)
    throw new ShapeError(`infoNceLoss: expected queries [batch, dim], got ${formatShape(queries.shape)}`);
  assertSameShape("infoNceLoss", queries, keys);
  return tidy(() => {
    const [q, k] = normalize ? [toUnitLength(queries), toUnitLength(keys)] : [queries, keys];
    const scores = div(matMul(q, k, { transposeB: true }), temperature); // [batch, batch]
    const positions = arange(0, queries.shape[0]);
    const forward = crossEntropy(scores, positions, { reduction });
    if (!symmetric) return forward;
    return mul(add(forward, crossEntropy(transpose(scores), positions, { reduction })), 0.5);
  });
}

function toUnitLength(x: Tensor): Tensor {
  return div(x, clip(norm(x, { axes: -1, keepDims: true }), { min: SMALLEST_LENGTH }));
}

function assertInfoNceOptions(operation: string, options: InfoNceLossOptions): void {
  assertOptionNames(operation, options, OPTIONS);
  assertReduction(operation, options.reduction ?? "mean");
  const { temperature = 1 } = options;
  if (typeof temperature === "number") {
    if (!(temperature > 0 && Number.isFinite(temperature)))
      throw new InputError(`${operation}: expected a temperature above 0, got ${temperature}`);
    return;
  }
  assertFloat(operation, "temperature", temperature);
  if (temperature.size !== 1)
    throw new ShapeError(
      `${operation}: expected one temperature, got shape ${formatShape(temperature.shape)}`,
    );
}

/** {@link infoNceLoss} with its options kept. */
export class InfoNCELoss {
  readonly #options: InfoNceLossOptions;

  constructor(options: InfoNceLossOptions = {}) {
    assertInfoNceOptions("InfoNCELoss", options);
    this.#options = { ...options };
  }

  /** @param queries `[batch, dim]` @param keys `[batch, dim]` @returns `[]` or `[batch]` */
  call(queries: Tensor, keys: Tensor): Tensor {
    return infoNceLoss(queries, keys, this.#options);
  }
}
