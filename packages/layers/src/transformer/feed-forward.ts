import { gelu, relu, type Tensor } from "@ai/tensor";
import { assertOneOf } from "../checks.js";

/** Nonlinearity between the two linear layers of a transformer's feed-forward part. */
export type FeedForwardActivation = "relu" | "gelu" | ((x: Tensor) => Tensor);

/** Options that encoder and decoder layers share. */
export interface TransformerLayerOptions {
  /** Size between the two linear layers. Default 2048. */
  readonly dimFeedforward?: number;
  /** Share that is dropped in training, of attention weights and after each part. Default 0.1. */
  readonly dropout?: number;
  /** Default `"relu"`; `"gelu"` is the exact one; or a function of ours, such as `silu`. */
  readonly activation?: FeedForwardActivation;
  /** Epsilon of the layer norms. Default 1e-5. */
  readonly epsilon?: number;
  /** Normalize before each part instead of after it. Default false. */
  readonly normFirst?: boolean;
  /** Whether linear layers and layer norms have biases. Default true. */
  readonly bias?: boolean;
}

/** @throws InputError for an activation that is not known. */
export function assertActivation(layer: string, activation: FeedForwardActivation): void {
  if (typeof activation !== "function") assertOneOf(layer, "activation", activation, ["relu", "gelu"]);
}

/** @param x `[...]` @returns `[...]` */
export function activate(x: Tensor, activation: FeedForwardActivation): Tensor {
  if (typeof activation === "function") return activation(x);
  return activation === "relu" ? relu(x) : gelu(x);
}
