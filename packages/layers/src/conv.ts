import { conv2d, InputError, pad, type Tensor } from "@ai/tensor";
import { assertIntegers, assertOneOf, assertShape, pairOf } from "./checks.js";
import { fanInUniform } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";

/** Where the numbers around an image come from: zeros, mirrored without the edge, the edge, or the other side. */
export type PaddingMode = "zeros" | "reflect" | "replicate" | "circular";

/** Options of {@link Conv2d}. Two numbers are height and width. */
export interface Conv2dOptions {
  /** Default 1. */
  readonly stride?: number | readonly [number, number];
  /** Rows and columns added on each side, `"valid"` (none) or `"same"` (output as large as the input; needs stride 1). Default 0. */
  readonly padding?: number | readonly [number, number] | "valid" | "same";
  /** Default `"zeros"`. */
  readonly paddingMode?: PaddingMode;
  /** Distance between the cells of the kernel. Default 1. */
  readonly dilation?: number | readonly [number, number];
  /** Groups of channels that do not see each other. Default 1; `inChannels` gives a depthwise convolution. */
  readonly groups?: number;
  /** Whether to add a bias. Default true. */
  readonly bias?: boolean;
}

type Sides = readonly [before: number, after: number];

/**
 * Convolution over images (cross-correlation, as everywhere in deep learning).
 *
 * Parameters: `weight` `[kernelHeight, kernelWidth, inChannels / groups, outChannels]`, in checkpoints
 * `[outChannels, inChannels / groups, kernelHeight, kernelWidth]`; `bias` `[outChannels]`; both from U(±1/√fanIn).
 * @example
 * const layer = new Conv2d(3, 16, 3, { padding: 1 });
 * const y = layer.call(x); // x [batch, height, width, 3], y [batch, height, width, 16]
 */
export class Conv2d extends Module<[x: Tensor], Tensor> {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [height: Sides, width: Sides];
  readonly paddingMode: PaddingMode;
  readonly dilation: readonly [number, number];
  readonly groups: number;
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  /** @throws InputError for sizes that are not integers in range, channels that `groups` does not divide, or "same" with a stride. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly [number, number],
    options: Conv2dOptions = {},
  ) {
    super();
    const { stride = 1, padding = 0, paddingMode = "zeros", dilation = 1, groups = 1, bias = true } = options;
    assertIntegers("Conv2d", { inChannels, outChannels, groups });
    if (inChannels % groups !== 0 || outChannels % groups !== 0)
      throw new InputError(
        `Conv2d: expected channels that groups divides, got ${inChannels} and ${outChannels} for ${groups} groups`,
      );
    assertOneOf("Conv2d", "paddingMode", paddingMode, ["zeros", "reflect", "replicate", "circular"]);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = pairOf("Conv2d", "kernelSize", kernelSize, 1);
    this.stride = pairOf("Conv2d", "stride", stride, 1);
    this.dilation = pairOf("Conv2d", "dilation", dilation, 1);
    this.paddingMode = paddingMode;
    this.groups = groups;
    this.padding = this.#sides(padding);
    const [height, width] = this.kernelSize;
    const initializer = fanInUniform((height * width * inChannels) / groups);
    this.weight = new Parameter([height, width, inChannels / groups, outChannels], {
      initializer,
      checkpointPermutation: [3, 2, 0, 1],
    });
    this.bias = bias ? new Parameter([outChannels], { initializer }) : undefined;
  }

  #sides(padding: NonNullable<Conv2dOptions["padding"]>): [Sides, Sides] {
    if (padding === "valid")
      return [
        [0, 0],
        [0, 0],
      ];
    if (typeof padding !== "string") {
      const [height, width] = pairOf("Conv2d", "padding", padding, 0);
      return [
        [height, height],
        [width, width],
      ];
    }
    assertOneOf("Conv2d", "padding", padding, ["valid", "same"]);
    if (this.stride.some((step) => step !== 1))
      throw new InputError(
        `Conv2d: expected stride 1 for padding "same", got ${this.stride.join(" and ")}; give the padding in numbers`,
      );
    const same = (axis: 0 | 1): Sides => {
      const total = this.dilation[axis] * (this.kernelSize[axis] - 1);
      const before = Math.floor(total / 2);
      return [before, total - before]; // PyTorch puts the odd one at the end
    };
    return [same(0), same(1)];
  }

  /**
   * @param x `[batch, height, width, inChannels]`
   * @returns `[batch, outHeight, outWidth, outChannels]`
   * @throws ShapeError for another rank or number of channels.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "height", "width", "channels"], this.inChannels, "; images are channels-last");
    const { stride, dilation, groups } = this;
    const options = { stride, dilation, groups, bias: this.bias?.value };
    if (this.paddingMode === "zeros")
      return conv2d(x, this.weight.value, { ...options, padding: this.padding });
    const padded = pad(x, [[0, 0], ...this.padding, [0, 0]], { mode: this.paddingMode }); // [batch, height + …, width + …, inChannels]
    return conv2d(padded, this.weight.value, options);
  }

  override multiplyAdds(_inputs: [x: Tensor], output: Tensor): number {
    const [height, width, channels] = this.weight.shape;
    return output.size * height * width * channels;
  }
}
