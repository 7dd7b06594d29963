import {
  add,
  div,
  isRecording,
  mul,
  noGrad,
  relu,
  relu6,
  silu,
  sqrt,
  sub,
  type Tensor,
  tidy,
} from "@ai/tensor";
import type { AnyModule, Module } from "./module.js";
import type { StoredTensor } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** An activation that a convolution applies to its result in the same pass. */
export type FoldedActivation = "relu" | "relu6" | "silu";

const ACTIVATIONS = { relu, relu6, silu } as const;

/** A convolution that takes the layers behind it into its own pass. */
export interface FoldingConvolution extends Module<[x: Tensor], Tensor> {
  callNormalized(
    x: Tensor,
    norm: Module<[x: Tensor], Tensor>,
    activation?: FoldedActivation,
  ): Tensor | undefined;
}

/** An activation as a layer, which a convolution before it may apply. */
export interface ActivationLayer {
  /** Its name; undefined where a subclass does something else. */
  readonly foldedActivation: FoldedActivation | undefined;
}

/** What a normalization does to each channel, whatever the batch: `(x − mean) / √(variance + epsilon) · weight + bias`. */
export interface ChannelStatistics {
  readonly mean: StoredTensor;
  readonly variance: StoredTensor;
  readonly weight: StoredTensor | undefined;
  readonly bias: StoredTensor | undefined;
  readonly epsilon: number;
}

/** A normalization that may be folded into the convolution before it. */
export interface FoldableNorm {
  /** What it does to each channel; undefined while that depends on the batch. */
  readonly fixedStatistics: ChannelStatistics | undefined;
}

/** A convolution with its filter `[..., out]` and bias `[out]`. */
interface FoldableConvolution {
  readonly weight: StoredTensor;
  readonly bias: StoredTensor | undefined;
}

/** Filter and bias of a convolution with the normalization behind it. */
export interface FoldedConvolution {
  /** The filter's shape. */
  readonly weight: Tensor;
  /** `[out]` */
  readonly bias: Tensor;
}

/** Whether a module computes what `layer` does: a subclass with a `forward` of its own must be called. */
export function keepsForward(module: AnyModule, layer: { readonly prototype: AnyModule }): boolean {
  const forwardOf = (owner: AnyModule): unknown => (owner as unknown as { forward: unknown }).forward;
  return forwardOf(module) === forwardOf(layer.prototype);
}

function statisticsOf(norm: AnyModule): ChannelStatistics | undefined {
  return (norm as AnyModule & Partial<FoldableNorm>).fixedStatistics;
}

/**
 * Puts a normalization with fixed statistics into the convolution before it; computed anew when either changes.
 * @returns undefined where that would not be the same: in training, inside a gradient (the parameters need theirs), or
 * while hooks watch one of the two.
 */
export function foldNormalization(
  convolution: AnyModule & FoldableConvolution,
  norm: AnyModule,
): FoldedConvolution | undefined {
  const statistics = statisticsOf(norm);
  if (statistics === undefined || convolution.isObserved || norm.isObserved || isRecording())
    return undefined;
  const { mean, variance, weight, bias, epsilon } = statistics;
  const sources = [mean, variance, weight, bias, convolution.bias].filter((source) => source !== undefined);
  if (mean.shape[0] !== convolution.weight.shape.at(-1)) return undefined; // the norm says so itself
  // a float32 filter that is kept would cost what few bits save
  if (convolution.weight.storedParts !== undefined) return undefined;
  if (!convolution.weight.hasValue || !sources.every(({ hasValue }) => hasValue)) return undefined;
  const [filter, offset] = convolution.weight.derive(sources, () =>
    noGrad(() =>
      tidy(() => {
        const deviation = sqrt(add(variance.value, epsilon)); // [out]
        const scale = weight === undefined ? div(1, deviation) : div(weight.value, deviation);
        const start =
          convolution.bias === undefined ? mul(mean.value, -1) : sub(convolution.bias.value, mean.value);
        const shifted = mul(start, scale);
        return [
          mul(convolution.weight.value, scale),
          bias === undefined ? shifted : add(shifted, bias.value),
        ];
      }),
    ),
  );
  return { weight: filter, bias: offset };
}

/** Options of {@link convNormActivation}. */
export interface ConvNormActivationOptions {
  /** A `Conv2d`. */
  readonly convolution: FoldingConvolution;
  /** The normalization of its result. */
  readonly norm: Module<[x: Tensor], Tensor>;
  /** What follows; nothing when left out. */
  readonly activation?: FoldedActivation;
}

/**
 * `activation(norm(convolution(x)))`: what most convolutional networks are made of. In evaluation a batch norm becomes part
 * of the filter and all three are one pass, for which the layer keeps a second filter until it is trained or disposed;
 * `Sequential` does the same by itself.
 * @param x `[batch, height, width, inChannels]`
 * @returns `[batch, outHeight, outWidth, outChannels]`
 * @throws ShapeError for another rank or number of channels.
 * @example
 * protected forward(x: Tensor) {
 *   return convNormActivation(x, { convolution: this.conv1, norm: this.bn1, activation: "relu" });
 * }
 */
export function convNormActivation(x: Tensor, options: ConvNormActivationOptions): Tensor {
  assertOptionNames("convNormActivation", options, ["convolution", "norm", "activation"]);
  const { convolution, norm, activation } = options;
  const folded = convolution.callNormalized(x, norm, activation);
  if (folded !== undefined) return folded;
  return tidy(() => {
    const normalized = norm.call(convolution.call(x));
    return activation === undefined ? normalized : ACTIVATIONS[activation](normalized);
  });
}
