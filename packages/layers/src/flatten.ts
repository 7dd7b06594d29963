import { flatten, InputError, reshape, type Shape, ShapeError, type Tensor, transpose } from "@ai/tensor";
import { assertIntegers, assertTensor, formatShape } from "./checks.js";
import { Module } from "./module.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link Flatten}. */
export interface FlattenOptions {
  /** First axis to merge. Default 1: the batch stays. */
  readonly startAxis?: number;
  /** Last axis to merge. Default −1. */
  readonly endAxis?: number;
}

/**
 * Merges axes into one. Images `[batch, height, width, channels]` and volumes `[batch, depth, height, width, channels]`
 * come out in PyTorch's order, channels first: a linear layer after convolutions takes PyTorch's weights.
 * Tensors of other ranks keep the order that they have.
 * @example
 * const y = new Flatten().call(x); // x [batch, height, width, channels], y [batch, channels · height · width]
 */
export class Flatten extends Module<[x: Tensor], Tensor> {
  readonly startAxis: number;
  readonly endAxis: number;

  /** @throws InputError for an axis that is not an integer. */
  constructor(options: FlattenOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["startAxis", "endAxis"]);
    const { startAxis = 1, endAxis = -1 } = options;
    assertIntegers("Flatten", { startAxis, endAxis }, Number.NEGATIVE_INFINITY);
    this.startAxis = startAxis;
    this.endAxis = endAxis;
  }

  /**
   * @param x `[...]`
   * @returns `[...]` with the axes `startAxis` … `endAxis` merged.
   * @throws InputError for an axis out of range, and for an image of which the channels are merged with part of the picture.
   */
  protected forward(x: Tensor): Tensor {
    const { startAxis, endAxis } = this;
    assertTensor(x);
    const rank = x.shape.length;
    if (rank !== 4 && rank !== 5) return flatten(x, { startAxis, endAxis });
    const first = startAxis < 0 ? startAxis + rank : startAxis;
    const last = endAxis < 0 ? endAxis + rank : endAxis;
    if (first > 1 || last !== rank - 1)
      throw new InputError(
        `expected startAxis 0 or 1 and endAxis −1 for an image, got ${startAxis} and ${endAxis}; use reshape for other axes`,
      );
    const spatial = Array.from({ length: rank - 2 }, (_, axis) => axis + 1);
    return flatten(transpose(x, [0, rank - 1, ...spatial]), { startAxis, endAxis });
  }
}

/**
 * Splits an axis, the reverse of {@link Flatten}. What becomes an image or a volume is read in PyTorch's order, channels
 * first, and comes out channels last: convolutions after a linear layer take PyTorch's weights of both.
 * @example
 * const decoder = new Sequential(new Linear(32, 3136), new Unflatten(1, [64, 7, 7]), new ConvTranspose2d(64, 1, 4));
 * // [batch, 3136] becomes [batch, 7, 7, 64]
 */
export class Unflatten extends Module<[x: Tensor], Tensor> {
  readonly axis: number;
  readonly sizes: Shape;

  /**
   * @param axis Which axis is split, negative counted from the end.
   * @param sizes What it becomes, in PyTorch's order: `[channels, height, width]` for images.
   * @throws InputError for an axis that is no integer, or sizes that are not positive integers.
   */
  constructor(axis: number, sizes: Shape) {
    super();
    if (!Number.isInteger(axis) || !Array.isArray(sizes))
      throw new InputError(
        `Unflatten: expected an integer axis and sizes, got ${String(axis)} and ${typeof sizes}`,
      );
    assertIntegers("Unflatten", { axes: sizes.length });
    for (const size of sizes) assertIntegers("Unflatten", { size });
    this.axis = axis;
    this.sizes = [...sizes];
  }

  /**
   * @param x `[...]`
   * @returns `[...]` with the axis split; an image `[batch, height, width, channels]` or volume from `[batch, dim]`.
   * @throws ShapeError for an axis out of range or of another size; InputError for another split that gives 4 or 5 axes.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    const { sizes } = this;
    const axis = this.axis < 0 ? this.axis + x.shape.length : this.axis;
    const size = sizes.reduce((product, length) => product * length, 1);
    if (x.shape[axis] !== size)
      throw new ShapeError(`expected ${size} numbers along axis ${this.axis}, got ${formatShape(x.shape)}`);
    const shape = [...x.shape.slice(0, axis), ...sizes, ...x.shape.slice(axis + 1)];
    const split = reshape(x, shape);
    if (shape.length !== 4 && shape.length !== 5) return split;
    if (axis !== 1 || x.shape.length !== 2)
      throw new InputError(
        `expected axis 1 of an input [batch, ${size}] for an image, got ${this.axis} of ${formatShape(x.shape)}; use reshape for other axes`,
      );
    const spatial = sizes.slice(1).map((_, index) => index + 2);
    return transpose(split, [0, ...spatial, 1]); // [batch, ..., channels]
  }
}
