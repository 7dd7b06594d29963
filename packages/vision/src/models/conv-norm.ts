import { BatchNorm2d, Conv2d, convNormActivation, Module } from "@ai/layers";
import { pad, type Tensor } from "@ai/tensor";

/**
 * Where a convolution that halves a picture puts its padding: evenly (PyTorch), more at the end (TensorFlow on even
 * sizes), or as TensorFlow does for the size at hand.
 */
export type StridePadding = "symmetric" | "end" | "tensorflow";

/** What follows the batch norm. */
export type MobileActivation = "silu" | "relu6" | "none";

/** Options of {@link ConvNorm}. */
export interface ConvNormOptions {
  readonly kernelSize?: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
  readonly padding?: StridePadding;
  readonly activation?: MobileActivation;
  readonly epsilon?: number;
}

/** A convolution without bias, batch norm, and an activation: what mobile networks are made of. */
export class ConvNorm extends Module<[x: Tensor], Tensor> {
  readonly convolution: Conv2d;
  readonly normalization: BatchNorm2d;
  readonly activation: MobileActivation;
  readonly stridePadding: StridePadding;

  constructor(inChannels: number, outChannels: number, options: ConvNormOptions) {
    super();
    const { kernelSize = 1, stride = 1, dilation = 1, groups = 1, epsilon = 1e-5 } = options;
    const { padding = "symmetric", activation = "none" } = options;
    this.stridePadding = stride === 1 ? "symmetric" : padding;
    this.convolution = new Conv2d(inChannels, outChannels, kernelSize, {
      stride,
      dilation,
      groups,
      padding: this.stridePadding === "symmetric" ? ((kernelSize - 1) / 2) * dilation : 0,
      bias: false,
    });
    this.normalization = new BatchNorm2d(outChannels, { epsilon });
    this.activation = activation;
  }

  /** @param x `[batch, height, width, inChannels]` @returns `[batch, height / stride, width / stride, outChannels]` */
  protected forward(x: Tensor): Tensor {
    return convNormActivation(this.stridePadding === "symmetric" ? x : this.#pad(x), {
      convolution: this.convolution,
      norm: this.normalization,
      activation: this.activation === "none" ? undefined : this.activation,
    });
  }

  /** @returns `[batch, height + …, width + …, channels]` */
  #pad(x: Tensor): Tensor {
    const { kernelSize, stride, dilation } = this.convolution;
    const sides = ([0, 1] as const).map((axis): [number, number] => {
      const before = Math.floor(kernelSize[axis] / 2);
      if (this.stridePadding === "end") return [before - 1, before];
      const rest = x.shape[axis + 1] % stride[axis];
      const total = Math.max(kernelSize[axis] - (rest === 0 ? stride[axis] : rest), 0);
      const start = Math.floor(total / 2);
      return [start * dilation[axis], (total - start) * dilation[axis]];
    });
    return pad(x, [[0, 0], sides[0], sides[1], [0, 0]]);
  }
}

/** Rounds a number of channels to a multiple of `divisor`, never by more than a tenth down. */
export function roundChannels(channels: number, divisor: number, minimum = divisor): number {
  const rounded = Math.max(minimum, Math.floor((channels + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * channels ? rounded + divisor : rounded;
}
