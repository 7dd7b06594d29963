import { type ConvOptions, conv1d, conv3d, InputError, pad, type Tensor } from "@ai/tensor";
import { assertIntegers, assertOneOf, assertShape, sizesOf } from "./checks.js";
import { fanInUniform } from "./initializers.js";
import { Module } from "./module.js";
import { Parameter } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of every convolution. */
export const CONVOLUTION_OPTIONS = [
  "stride",
  "padding",
  "paddingMode",
  "dilation",
  "groups",
  "bias?",
] as const;

/** Where the numbers around an input come from: zeros, mirrored without the edge, the edge, or the other side. */
export type PaddingMode = "zeros" | "reflect" | "replicate" | "circular";

/** Options of {@link Conv1d}, {@link Conv2d} and {@link Conv3d}: one number for all axes, or one each. */
export interface ConvNdOptions {
  /** Default 1. */
  readonly stride?: number | readonly number[];
  /** Cells added on each side, `"valid"` (none) or `"same"` (output as large as the input; needs stride 1). Default 0. */
  readonly padding?: number | readonly number[] | "valid" | "same";
  /** Default `"zeros"`. */
  readonly paddingMode?: PaddingMode;
  /** Distance between the cells of the kernel. Default 1. */
  readonly dilation?: number | readonly number[];
  /** Groups of channels that do not see each other. Default 1; `inChannels` gives a depthwise convolution. */
  readonly groups?: number;
  /** Whether to add a bias. Default true. */
  readonly bias?: boolean;
}

/** Cells before and after an axis. @internal */
export type Sides = readonly [before: number, after: number];

/** What the convolutions over sequences, images and volumes share. @internal */
export abstract class ConvNd extends Module<[x: Tensor], Tensor> {
  static override readonly quantizableWeights: RegExp | undefined = /^weight$/;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly Sides[];
  readonly paddingMode: PaddingMode;
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;

  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    { axes, ...options }: ConvNdOptions & { readonly axes: number },
  ) {
    super();
    const { stride = 1, padding = 0, paddingMode = "zeros", dilation = 1, groups = 1, bias = true } = options;
    const layer = new.target.name;
    assertIntegers(layer, { inChannels, outChannels, groups });
    if (inChannels % groups !== 0 || outChannels % groups !== 0)
      throw new InputError(
        `${layer}: expected channels that groups divides, got ${inChannels} and ${outChannels} for ${groups} groups`,
      );
    assertOneOf(layer, "paddingMode", paddingMode, ["zeros", "reflect", "replicate", "circular"]);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = sizesOf(layer, "kernelSize", kernelSize, { axes, minimum: 1 });
    this.stride = sizesOf(layer, "stride", stride, { axes, minimum: 1 });
    this.dilation = sizesOf(layer, "dilation", dilation, { axes, minimum: 1 });
    this.paddingMode = paddingMode;
    this.groups = groups;
    this.padding = this.#sides(layer, padding, axes);
    const cells = this.kernelSize.reduce((product, length) => product * length, 1);
    const initializer = fanInUniform((cells * inChannels) / groups);
    const spatial = this.kernelSize.map((_, axis) => axis);
    this.weight = new Parameter([...this.kernelSize, inChannels / groups, outChannels], {
      initializer,
      checkpointPermutation: [axes + 1, axes, ...spatial],
    });
    this.bias = bias ? new Parameter([outChannels], { initializer }) : undefined;
  }

  #sides(layer: string, padding: NonNullable<ConvNdOptions["padding"]>, axes: number): Sides[] {
    if (typeof padding !== "string")
      return sizesOf(layer, "padding", padding, { axes, minimum: 0 }).map((cells): Sides => [cells, cells]);
    assertOneOf(layer, "padding", padding, ["valid", "same"]);
    if (padding === "valid") return this.kernelSize.map((): Sides => [0, 0]);
    if (this.stride.some((step) => step !== 1))
      throw new InputError(
        `${layer}: expected stride 1 for padding "same", got ${this.stride.join(", ")}; give the padding in numbers`,
      );
    return this.kernelSize.map((cells, axis): Sides => {
      const total = this.dilation[axis] * (cells - 1);
      const before = Math.floor(total / 2);
      return [before, total - before]; // PyTorch puts the odd one at the end
    });
  }

  /** Options of the op, and the input, padded where the op cannot. */
  protected prepare(x: Tensor): { x: Tensor; options: ConvOptions } {
    const { stride, dilation, groups, padding } = this;
    const options = { stride: [...stride], dilation: [...dilation], groups, bias: this.bias?.value };
    if (this.paddingMode === "zeros")
      return {
        x,
        options: { ...options, padding: padding.map(([before, after]): [number, number] => [before, after]) },
      };
    return { x: pad(x, [[0, 0], ...padding, [0, 0]], { mode: this.paddingMode }), options };
  }

  override multiplyAdds(_inputs: [x: Tensor], output: Tensor): number {
    const { shape } = this.weight;
    return output.size * shape.slice(0, -1).reduce((product, length) => product * length, 1);
  }
}

/**
 * Convolution over sequences.
 *
 * Parameters: `weight` `[kernelSize, inChannels / groups, outChannels]`, in checkpoints
 * `[outChannels, inChannels / groups, kernelSize]`; `bias` `[outChannels]`; both from U(±1/√fanIn).
 * @example
 * const y = new Conv1d(80, 256, 3, { padding: 1 }).call(x); // x [batch, length, 80], y [batch, length, 256]
 */
export class Conv1d extends ConvNd {
  /** @throws InputError for sizes that are not integers in range, channels that `groups` does not divide, or "same" with a stride. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvNdOptions = {},
  ) {
    assertOptionNames(new.target.name, options, CONVOLUTION_OPTIONS);
    super(inChannels, outChannels, kernelSize, { ...options, axes: 1 });
  }

  /**
   * Steps that it makes of a sequence of so many, for the `lengths` of what follows:
   * `⌊(length + padding − dilation · (kernelSize − 1) − 1) / stride⌋ + 1` with the padding of both sides, at least 0.
   * @throws InputError for a length that is no integer of at least 0.
   * @example
   * const { output } = gru.call(conv.call(x), { lengths: lengths.map((length) => conv.outputLength(length)) });
   */
  outputLength(length: number): number {
    assertIntegers(`${this.constructor.name}.outputLength`, { length }, 0);
    const [[before, after]] = this.padding;
    const last = length + before + after - this.dilation[0] * (this.kernelSize[0] - 1) - 1;
    return Math.max(0, Math.floor(last / this.stride[0]) + 1);
  }

  /**
   * @param x `[batch, length, inChannels]`
   * @returns `[batch, outLength, outChannels]`
   * @throws ShapeError for another rank or number of channels.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "length", "channels"], this.inChannels, "; sequences are channels-last");
    const prepared = this.prepare(x);
    return conv1d(prepared.x, this.weight.value, prepared.options);
  }
}

/**
 * Convolution over volumes or videos.
 *
 * Parameters: `weight` `[depth, height, width, inChannels / groups, outChannels]`, in checkpoints channels first as
 * PyTorch's; `bias` `[outChannels]`; both from U(±1/√fanIn).
 */
export class Conv3d extends ConvNd {
  /** @throws InputError for sizes that are not integers in range, channels that `groups` does not divide, or "same" with a stride. */
  constructor(
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly number[],
    options: ConvNdOptions = {},
  ) {
    assertOptionNames(new.target.name, options, CONVOLUTION_OPTIONS);
    super(inChannels, outChannels, kernelSize, { ...options, axes: 3 });
  }

  /**
   * @param x `[batch, depth, height, width, inChannels]`
   * @returns `[batch, outDepth, outHeight, outWidth, outChannels]`
   * @throws ShapeError for another rank or number of channels.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(
      x,
      ["batch", "depth", "height", "width", "channels"],
      this.inChannels,
      "; volumes are channels-last",
    );
    const prepared = this.prepare(x);
    return conv3d(prepared.x, this.weight.value, prepared.options);
  }
}
