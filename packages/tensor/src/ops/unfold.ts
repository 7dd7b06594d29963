import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { ShapeError } from "../errors.js";
import { tidy } from "../memory.js";
import { formatShape } from "../shape.js";
import { fromValues } from "../tensor.js";
import { assertTensor } from "./broadcast.js";
import { gatherRows, scatterRows } from "./indexing-kernels.js";
import { reshape, transpose } from "./shape-ops.js";
import { pad, slice } from "./slice.js";
import { type PerAxis, perAxis } from "./window.js";

/** Options of {@link unfold}: one number for both axes, or one for height and one for width. */
export interface UnfoldOptions {
  /** Size of a block. */
  readonly kernelSize: PerAxis;
  /** Distance between the cells of a block. Default 1. */
  readonly dilation?: PerAxis;
  /** Cells of zeros around the image. Default 0. */
  readonly padding?: PerAxis;
  /** Distance between blocks. Default 1. */
  readonly stride?: PerAxis;
}

/** Options of {@link fold}: those of the {@link unfold} that it reverses, and the image's size. */
export interface FoldOptions extends UnfoldOptions {
  /** Height and width of the result. */
  readonly outputSize: PerAxis;
}

/** One spatial axis: its cells with padding, how many blocks fit, their cells, and where each of these lies. */
interface BlockAxis {
  readonly length: number;
  readonly padding: number;
  readonly count: number;
  readonly kernel: number;
  readonly cells: Int32Array;
}

function blockAxes(operation: string, sizes: readonly number[], options: UnfoldOptions): BlockAxis[] {
  const { kernelSize, dilation = 1, padding = 0, stride = 1 } = options;
  const kernels = perAxis(operation, "kernelSize", kernelSize, 2);
  const dilations = perAxis(operation, "dilation", dilation, 2);
  const paddings = perAxis(operation, "padding", padding, 2, 0);
  const strides = perAxis(operation, "stride", stride, 2);
  return sizes.map((size, axis) => {
    const length = size + 2 * paddings[axis];
    const kernel = kernels[axis];
    const count = Math.floor((length - dilations[axis] * (kernel - 1) - 1) / strides[axis]) + 1;
    if (count < 1)
      throw new ShapeError(
        `${operation}: expected an image of at least one block, got ${formatShape(sizes)} with kernelSize ${formatShape(kernels)}, dilation ${formatShape(dilations)} and padding ${formatShape(paddings)}`,
      );
    const cells = new Int32Array(count * kernel);
    for (let index = 0; index < cells.length; index++)
      cells[index] = Math.floor(index / kernel) * strides[axis] + (index % kernel) * dilations[axis];
    return { length, padding: paddings[axis], count, kernel, cells };
  });
}

/** Whether blocks lie side by side and cover the axis: nothing has to be picked. */
function isWhole({ cells, length }: BlockAxis): boolean {
  return cells.length === length && cells.every((cell, index) => cell === index);
}

/** x `[outer, length, inner]` → `[outer, count · kernel, inner]`. */
function pick(x: Tensor, axis: BlockAxis): Tensor {
  return isWhole(axis) ? x : gatherRows(x, indicesOf(axis), "unfold");
}

/** The transpose of {@link pick}. */
function putBack(x: Tensor, axis: BlockAxis): Tensor {
  return isWhole(axis) ? x : scatterRows(x, indicesOf(axis), { length: axis.length, operation: "fold" });
}

function indicesOf({ cells }: BlockAxis): Tensor {
  return fromValues(cells, [cells.length], "int32");
}

/**
 * Blocks of images as rows (im2col, `torch.nn.functional.unfold`). As everywhere here sequences are `[batch, length, dim]`:
 * a block is a row, PyTorch's result transposed. In a row the order is PyTorch's, channel first
 * (`channel · kernelHeight · kernelWidth + row · kernelWidth + column`), so that weights for its columns fit.
 * @param x `[batch, height, width, channels]` of any dtype.
 * @returns `[batch, blocks, channels · kernelHeight · kernelWidth]`, blocks row by row.
 * @throws ShapeError for another rank or an image smaller than a block. @throws InputError for sizes that are not whole.
 * @example
 * const patches = unfold(image, { kernelSize: 16, stride: 16 }); // [1, 224, 224, 3] → [1, 196, 768]
 */
export function unfold(x: Tensor, options: UnfoldOptions): Tensor {
  assertTensor("unfold", x);
  assertOptions("unfold", options, ["kernelSize", "dilation", "padding", "stride"]);
  if (x.shape.length !== 4)
    throw new ShapeError(
      `unfold: expected images [batch, height, width, channels], got ${formatShape(x.shape)}`,
    );
  const [batch, height, width, channels] = x.shape;
  const [rows, columns] = blockAxes("unfold", [height, width], options);
  return tidy(() => {
    const around = [rows, columns].map(({ padding }): [number, number] => [padding, padding]);
    const padded = rows.padding + columns.padding === 0 ? x : pad(x, [[0, 0], ...around, [0, 0]]);
    const lines = pick(reshape(padded, [batch, rows.length, columns.length * channels]), rows);
    const cells = pick(reshape(lines, [batch * rows.cells.length, columns.length, channels]), columns);
    const blocks = reshape(cells, [batch * rows.count, rows.kernel, columns.count, columns.kernel, channels]);
    const channelFirst = transpose(blocks, [0, 2, 4, 1, 3]); // [batch · rows, columns, channels, kernelHeight, kernelWidth]
    return reshape(channelFirst, [
      batch,
      rows.count * columns.count,
      channels * rows.kernel * columns.kernel,
    ]);
  });
}

/**
 * Images from blocks, which add up where they overlap (col2im, `torch.nn.functional.fold`): the gradient of {@link unfold},
 * not its inverse. Blocks are rows here, PyTorch's input transposed; in a row the order is PyTorch's, channel first.
 * @param x `[batch, blocks, channels · kernelHeight · kernelWidth]` float32 or int32.
 * @returns `[batch, height, width, channels]`, height and width of `outputSize`.
 * @throws ShapeError when the blocks do not fit the image. @throws InputError for sizes that are not whole.
 */
export function fold(x: Tensor, options: FoldOptions): Tensor {
  assertTensor("fold", x);
  assertOptions("fold", options, ["outputSize", "kernelSize", "dilation", "padding", "stride"]);
  const { outputSize, ...windows } = options;
  const [height, width] = perAxis("fold", "outputSize", outputSize, 2);
  const [rows, columns] = blockAxes("fold", [height, width], windows);
  const cellsOfBlock = rows.kernel * columns.kernel;
  const blocks = rows.count * columns.count;
  const [batch, given, dim] = x.shape;
  if (x.shape.length !== 3 || given !== blocks || dim % cellsOfBlock !== 0)
    throw new ShapeError(
      `fold: expected [batch, ${blocks}, channels · ${cellsOfBlock}] for images ${formatShape([height, width])}, got ${formatShape(x.shape)}; check outputSize, kernelSize and stride`,
    );
  const channels = dim / cellsOfBlock;
  return tidy(() => {
    const channelFirst = reshape(x, [
      batch * rows.count,
      columns.count,
      channels,
      rows.kernel,
      columns.kernel,
    ]);
    const cells = transpose(channelFirst, [0, 3, 1, 4, 2]); // [batch · rows, kernelHeight, columns, kernelWidth, channels]
    const lines = putBack(
      reshape(cells, [batch * rows.cells.length, columns.cells.length, channels]),
      columns,
    );
    const image = putBack(reshape(lines, [batch, rows.cells.length, columns.length * channels]), rows);
    const padded = reshape(image, [batch, rows.length, columns.length, channels]);
    return rows.padding + columns.padding === 0
      ? padded
      : slice(padded, [0, rows.padding, columns.padding, 0], [batch, height, width, channels]);
  });
}
