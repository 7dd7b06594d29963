import {
  add,
  conv1d,
  conv2d,
  conv3d,
  div,
  linear,
  matMul,
  mul,
  norm,
  reshape,
  type Shape,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  tidy,
  transpose,
} from "@ai/tensor";
import { Conv2d } from "../conv.js";
import { Conv1d, Conv3d } from "../conv-nd.js";
import { dropout } from "../dropout.js";
import { Embedding } from "../embedding.js";
import { gatherRows, limitRows } from "../embedding-rows.js";
import { constant, fanInUniform, normal } from "../initializers.js";
import type { Linear } from "../linear.js";
import { Module } from "../module.js";
import { Parameter } from "../parameter.js";
import type { QuantizedLinear } from "../quantization/quantized-layers.js";

/** Convolutions that can be adapted. */
export type AdaptableConv = Conv1d | Conv2d | Conv3d;
/** Layers that can be adapted. */
export type AdaptableLayer = Linear | QuantizedLinear | AdaptableConv | Embedding;

/** How strong an adapter of one layer is, and how it is trained. */
export interface LoraLayerOptions {
  /** Size between the two factors. */
  readonly rank: number;
  readonly alpha: number;
  /** Share of the inputs that the adapter does not see in training. */
  readonly dropout: number;
  /** Weight-decomposed: a trained length of each output's weights. */
  readonly useDora: boolean;
  /** Scale by `alpha / √rank` instead of `alpha / rank`. */
  readonly useRslora: boolean;
}

/**
 * What LoRA adds to one layer: `scaling · up(down(x))`, and with DoRA the new length of each output's weights.
 *
 * `y = y₀ + scaling · B·A·x`; with DoRA `y = (m / ‖W + scaling·B·A‖)·(W + scaling·B·A)·x + bias`, the length a constant to
 * the gradient. Checkpoint names are PEFT's.
 * @see Hu et al. (2021), "LoRA", https://arxiv.org/abs/2106.09685
 * @see Liu et al. (2024), "DoRA", https://arxiv.org/abs/2402.09353
 * @see Kalajdzievski (2023), "A rank stabilization scaling factor for fine-tuning with LoRA", https://arxiv.org/abs/2312.03732
 */
export abstract class LoraAdapter extends Module<[x: Tensor, output: Tensor], Tensor> {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly useDora: boolean;
  readonly useRslora: boolean;
  /** Factor of the product of the two matrices. */
  readonly scaling: number;

  constructor({ rank, alpha, dropout: share, useDora, useRslora }: LoraLayerOptions) {
    super();
    this.rank = rank;
    this.alpha = alpha;
    this.dropout = share;
    this.useDora = useDora;
    this.useRslora = useRslora;
    this.scaling = alpha / (useRslora ? Math.sqrt(rank) : rank);
  }

  /** The length of each output's weights, `[…, outputs]`; undefined without DoRA. */
  abstract readonly magnitude: Parameter | undefined;

  /** The layer's own weight, in its layout; the caller's scope frees it when it is a copy. */
  protected abstract baseWeight(): Tensor;

  /** What is added to the weight, in its layout, without DoRA's lengths. */
  protected abstract product(): Tensor;

  /** Length of each output's weights, broadcast to the weight's layout. @param weight as {@link baseWeight} */
  protected abstract lengths(weight: Tensor): Tensor;

  /** Lengths of the weights before training: what DoRA starts from. */
  protected startingMagnitude(shape: Shape): Tensor {
    return tidy(() => reshape(this.lengths(add(this.baseWeight(), this.product())), shape));
  }

  /** `m / ‖W + ΔW‖`, in the layout of {@link lengths}. */
  protected magnitudeFactor(): Tensor {
    const changed = add(this.baseWeight(), this.product());
    const lengths = this.lengths(stopGradient(changed));
    return div(reshape(this.magnitude!.value, lengths.shape), lengths);
  }

  /**
   * The weight with the adapter in it: `W + ΔW`, with DoRA scaled to its lengths.
   * @returns the layout of the layer's weight; the caller's.
   */
  mergedWeight(): Tensor {
    return tidy(() => {
      const changed = add(this.baseWeight(), this.product());
      return this.magnitude === undefined ? changed : mul(changed, this.magnitudeFactor());
    });
  }
}

/** Length of the vectors along `axes`, which stay with size 1; no gradient is asked of it. */
function lengthsAlong(weight: Tensor, axes: readonly number[]): Tensor {
  return axes.length === 1
    ? norm(weight, { axes: axes[0], keepDims: true })
    : sqrt(sum(square(weight), { axes, keepDims: true }));
}

/** What a linear layer and a convolution share: `x` goes down to the rank and up to the outputs. */
abstract class TwoFactorAdapter extends LoraAdapter {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    downWeight: "lora_A.weight",
    upWeight: "lora_B.weight",
    magnitude: "lora_magnitude_vector",
  };
  abstract readonly downWeight: Parameter;
  abstract readonly upWeight: Parameter;

  /** The layer without its bias, by a weight of its kind. @param x the layer's input `[...]` @param weight its layout, any outputs `[...]` */
  protected abstract applyBase(x: Tensor, weight: Tensor): Tensor;

  /** @param x `[..., rank]` @returns `[..., outputs]` */
  protected abstract raise(x: Tensor): Tensor;

  /** The layer's bias, if it has one. */
  protected abstract baseBias(): Tensor | undefined;

  /**
   * @param x the layer's input `[...]`
   * @param output what the layer gave, `[..., outputs]`
   * @returns `[..., outputs]`
   */
  protected forward(x: Tensor, output: Tensor): Tensor {
    const dropped = this.training ? dropout(x, this.dropout) : x;
    const change = mul(this.raise(this.applyBase(dropped, this.downWeight.value)), this.scaling); // [..., outputs]
    if (this.magnitude === undefined) return add(output, change);
    const bias = this.baseBias();
    const withoutBias =
      dropped !== x
        ? this.applyBase(dropped, this.baseWeight())
        : bias === undefined
          ? output
          : sub(output, bias);
    const factor = reshape(this.magnitudeFactor(), [output.shape.at(-1)!]); // [outputs]
    return add(output, add(mul(sub(factor, 1), withoutBias), mul(factor, change)));
  }
}

/** LoRA of a linear layer. Parameters: `lora_A.weight` `[rank, inFeatures]`, `lora_B.weight` `[outFeatures, rank]` (zeros). */
export class LinearLora extends TwoFactorAdapter {
  readonly downWeight: Parameter;
  readonly upWeight: Parameter;
  readonly magnitude: Parameter | undefined;
  readonly #base: Linear | QuantizedLinear;

  constructor(base: Linear | QuantizedLinear, options: LoraLayerOptions) {
    super(options);
    this.#base = base;
    const { inFeatures, outFeatures } = base;
    this.downWeight = new Parameter([this.rank, inFeatures], { initializer: fanInUniform(inFeatures) });
    this.upWeight = new Parameter([outFeatures, this.rank], { initializer: constant(0) });
    this.magnitude = this.useDora
      ? new Parameter([outFeatures], { initializer: (shape) => this.startingMagnitude(shape) })
      : undefined;
  }

  protected applyBase(x: Tensor, weight: Tensor): Tensor {
    return linear(x, weight);
  }

  protected raise(x: Tensor): Tensor {
    return linear(x, this.upWeight.value);
  }

  protected baseWeight(): Tensor {
    return this.#base.weight.value;
  }

  protected baseBias(): Tensor | undefined {
    return this.#base.bias?.value;
  }

  protected product(): Tensor {
    return mul(matMul(this.upWeight.value, this.downWeight.value), this.scaling); // [outFeatures, inFeatures]
  }

  protected lengths(weight: Tensor): Tensor {
    return lengthsAlong(weight, [1]); // [outFeatures, 1]
  }

  override multiplyAdds(_inputs: [x: Tensor, output: Tensor], output: Tensor): number {
    const { inFeatures, outFeatures } = this.#base;
    return (output.size / outFeatures) * this.rank * (inFeatures + outFeatures);
  }
}

/** LoRA of a convolution: a convolution to `rank` channels, then one of size 1. Parameters as {@link LinearLora}, in a convolution's layouts. */
export class ConvLora extends TwoFactorAdapter {
  readonly downWeight: Parameter;
  readonly upWeight: Parameter;
  readonly magnitude: Parameter | undefined;
  readonly #base: AdaptableConv;

  constructor(base: AdaptableConv, options: LoraLayerOptions) {
    super(options);
    this.#base = base;
    const { kernelSize, inChannels, outChannels } = base;
    const axes = kernelSize.length;
    const spatial = kernelSize.map((_, axis) => axis);
    const cells = kernelSize.reduce((product, length) => product * length, 1);
    const ones = kernelSize.map(() => 1);
    const checkpointPermutation = [axes + 1, axes, ...spatial];
    this.downWeight = new Parameter([...kernelSize, inChannels, this.rank], {
      initializer: fanInUniform(cells * inChannels),
      checkpointPermutation,
    });
    this.upWeight = new Parameter([...ones, this.rank, outChannels], {
      initializer: constant(0),
      checkpointPermutation,
    });
    this.magnitude = this.useDora
      ? new Parameter([...ones, 1, outChannels], {
          initializer: (shape) => this.startingMagnitude(shape),
          checkpointPermutation: [axes, axes + 1, ...spatial],
        })
      : undefined;
  }

  protected applyBase(x: Tensor, weight: Tensor): Tensor {
    const base = this.#base;
    if (base instanceof Conv2d) return conv2d(x, weight, { stride: base.stride, padding: base.padding });
    const options = {
      stride: [...base.stride],
      padding: base.padding.map(([before, after]): [number, number] => [before, after]),
    };
    return base instanceof Conv1d ? conv1d(x, weight, options) : conv3d(x, weight, options);
  }

  protected raise(x: Tensor): Tensor {
    return matMul(x, this.#matrix(this.upWeight)); // [..., outChannels]
  }

  protected baseWeight(): Tensor {
    return this.#base.weight.value;
  }

  protected baseBias(): Tensor | undefined {
    return this.#base.bias?.value;
  }

  protected product(): Tensor {
    const flat = matMul(this.#matrix(this.downWeight), this.#matrix(this.upWeight)); // [cells · inChannels, outChannels]
    return mul(reshape(flat, this.#base.weight.shape), this.scaling);
  }

  protected lengths(weight: Tensor): Tensor {
    return lengthsAlong(
      weight,
      weight.shape.slice(1).map((_, axis) => axis),
    ); // [1, …, 1, outChannels]
  }

  /** A convolution's weight as a matrix to its outputs. */
  #matrix({ value }: Parameter): Tensor {
    const outputs = value.shape.at(-1)!;
    return reshape(value, [value.size / outputs, outputs]);
  }

  override multiplyAdds(_inputs: [x: Tensor, output: Tensor], output: Tensor): number {
    return (output.size / this.#base.outChannels) * (this.downWeight.value.size + this.upWeight.value.size);
  }
}

/**
 * LoRA of a table, whose `maxNorm` and `scaleGradByFreq` are those of the adapter's rows too. Parameters:
 * `lora_embedding_A` `[rank, numEmbeddings]` (zeros), `lora_embedding_B` `[embeddingDim, rank]`.
 */
export class EmbeddingLora extends LoraAdapter {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    downWeight: "lora_embedding_A",
    upWeight: "lora_embedding_B",
    magnitude: "lora_magnitude_vector",
  };
  readonly downWeight: Parameter;
  readonly upWeight: Parameter;
  readonly magnitude: Parameter | undefined;
  readonly #base: Embedding;

  constructor(base: Embedding, options: LoraLayerOptions) {
    super(options);
    this.#base = base;
    const { numEmbeddings, embeddingDim } = base;
    this.downWeight = new Parameter([this.rank, numEmbeddings], { initializer: constant(0) });
    this.upWeight = new Parameter([embeddingDim, this.rank], { initializer: normal() });
    this.magnitude = this.useDora
      ? new Parameter([embeddingDim], { initializer: (shape) => this.startingMagnitude(shape) })
      : undefined;
  }

  /**
   * @param ids `[...]` int32, the table's input
   * @param output what the table gave, `[..., embeddingDim]`
   * @returns `[..., embeddingDim]`
   */
  protected forward(ids: Tensor, output: Tensor): Tensor {
    const { paddingIdx, maxNorm, normType = 2, scaleGradByFreq } = this.#base;
    // the options of the table are those of the adapter's own rows, as in PEFT
    if (maxNorm !== undefined) limitRows(this.downWeight, ids, { maxNorm, normType }, 1);
    const table = transpose(this.downWeight.value); // [numEmbeddings, rank]
    const rows = gatherRows(table, ids, paddingIdx, { scaleGradByFreq }); // [..., rank]
    const change = mul(linear(rows, this.upWeight.value), this.scaling); // [..., embeddingDim]
    if (this.magnitude === undefined) return add(output, change);
    return mul(add(output, change), this.magnitudeFactor());
  }

  protected baseWeight(): Tensor {
    return this.#base.weight.value;
  }

  protected product(): Tensor {
    return mul(transpose(matMul(this.upWeight.value, this.downWeight.value)), this.scaling); // [numEmbeddings, embeddingDim]
  }

  protected lengths(weight: Tensor): Tensor {
    return lengthsAlong(weight, [0]); // [1, embeddingDim]
  }

  override multiplyAdds(_inputs: [x: Tensor, output: Tensor], output: Tensor): number {
    return output.size * this.rank;
  }
}

/** The adapter of a layer's kind. */
export function adapterFor(layer: AdaptableLayer, options: LoraLayerOptions): LoraAdapter {
  if (layer instanceof Embedding) return new EmbeddingLora(layer, options);
  if (layer instanceof Conv1d || layer instanceof Conv2d || layer instanceof Conv3d)
    return new ConvLora(layer, options);
  return new LinearLora(layer, options);
}
