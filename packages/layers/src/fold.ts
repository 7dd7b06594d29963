import { fold, type Tensor, type UnfoldOptions, unfold } from "@ai/tensor";
import { assertShape, sizesOf } from "./checks.js";
import { Module } from "./module.js";
import { axesOf } from "./pooling.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link Unfold} and {@link Fold}: one number for both axes, or one for height and one for width. */
export type BlockOptions = Omit<UnfoldOptions, "kernelSize">;

interface Blocks {
  readonly kernelSize: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly number[];
  readonly stride: readonly number[];
}

function blocksOf(layer: string, kernelSize: number | readonly number[], options: BlockOptions): Blocks {
  assertOptionNames(layer, options, ["dilation", "padding", "stride"]);
  const { dilation = 1, padding = 0, stride = 1 } = options;
  return {
    kernelSize: sizesOf(layer, "kernelSize", kernelSize, { axes: 2, minimum: 1 }),
    dilation: sizesOf(layer, "dilation", dilation, { axes: 2, minimum: 1 }),
    padding: sizesOf(layer, "padding", padding, { axes: 2, minimum: 0 }),
    stride: sizesOf(layer, "stride", stride, { axes: 2, minimum: 1 }),
  };
}

/**
 * Blocks of images as rows (im2col). A block is a row `[batch, blocks, …]`, PyTorch's result transposed, as sequences are
 * everywhere here; in a row the order is PyTorch's, channel first, so that a linear layer behind it takes PyTorch's weights.
 * @example
 * const patches = new Unfold(16, { stride: 16 }).call(image); // [1, 224, 224, 3] → [1, 196, 768]
 */
export class Unfold extends Module<[x: Tensor], Tensor> {
  readonly blocks: Blocks;

  /** @throws InputError when a size is not an integer in range. */
  constructor(kernelSize: number | readonly number[], options: BlockOptions = {}) {
    super();
    this.blocks = blocksOf(new.target.name, kernelSize, options);
  }

  /**
   * @param x `[batch, height, width, channels]`
   * @returns `[batch, blocks, channels · kernelHeight · kernelWidth]`
   * @throws ShapeError for another rank or an image smaller than a block.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, axesOf(2));
    return unfold(x, this.blocks);
  }
}

/**
 * Images from blocks, which add up where they overlap (col2im). Takes what {@link Unfold} gives: rows in PyTorch's order.
 * @example
 * const image = new Fold([224, 224], 16, { stride: 16 }).call(patches); // [1, 196, 768] → [1, 224, 224, 3]
 */
export class Fold extends Module<[x: Tensor], Tensor> {
  readonly outputSize: readonly number[];
  readonly blocks: Blocks;

  /** @throws InputError when a size is not an integer in range. */
  constructor(
    outputSize: number | readonly number[],
    kernelSize: number | readonly number[],
    options: BlockOptions = {},
  ) {
    super();
    this.blocks = blocksOf(new.target.name, kernelSize, options);
    this.outputSize = sizesOf(new.target.name, "outputSize", outputSize, { axes: 2, minimum: 1 });
  }

  /**
   * @param x `[batch, blocks, channels · kernelHeight · kernelWidth]`
   * @returns `[batch, height, width, channels]` of `outputSize`
   * @throws ShapeError for blocks that do not fit the image.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "blocks", "dim"]);
    return fold(x, { outputSize: this.outputSize, ...this.blocks });
  }
}
