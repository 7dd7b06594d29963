import { InputError, type PadMode, pad, type Tensor } from "@ai/tensor";
import { assertShape, sizesOf } from "./checks.js";
import type { Sides } from "./conv-nd.js";
import { Module } from "./module.js";
import { axesOf } from "./pooling.js";

/**
 * Cells to add: one number for all sides, or two an axis in PyTorch's order, the last axis first: `[left, right]` for
 * sequences, `[left, right, top, bottom]` for images, `[left, right, top, bottom, front, back]` for volumes.
 */
export type PaddingSides = number | readonly number[];

/** What all share. */
abstract class Padding extends Module<[x: Tensor], Tensor> {
  /** Cells before and after each spatial axis, the first axis first. */
  readonly padding: readonly Sides[];
  readonly #mode: PadMode;
  readonly #value: number;

  constructor(
    padding: PaddingSides,
    { axes, mode, value = 0 }: { readonly axes: number; readonly mode: PadMode; readonly value?: number },
  ) {
    super();
    const sides = sizesOf(new.target.name, "padding", padding, { axes: 2 * axes, minimum: 0 });
    const lastFirst = Array.from(
      { length: axes },
      (_, axis): Sides => [sides[2 * axis], sides[2 * axis + 1]],
    );
    this.padding = lastFirst.reverse();
    this.#mode = mode;
    this.#value = value;
  }

  /**
   * @param x `[batch, ..., channels]`
   * @returns `[batch, ..., channels]`, each spatial axis longer by its two paddings
   * @throws ShapeError for another rank; InputError for more cells than the mode can take from the input.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, axesOf(this.padding.length));
    const mode = this.#mode;
    const paddings = [[0, 0] as Sides, ...this.padding, [0, 0] as Sides];
    return pad(x, paddings as [number, number][], mode === "constant" ? { value: this.#value } : { mode });
  }
}

abstract class ConstantPad extends Padding {
  readonly value: number;

  constructor(padding: PaddingSides, { axes, value }: { readonly axes: number; readonly value: number }) {
    super(padding, { axes, mode: "constant", value });
    // −∞ goes in front of max pooling
    if (typeof value !== "number" || Number.isNaN(value))
      throw new InputError(`${new.target.name}: expected a number as value, got ${String(value)}`);
    this.value = value;
  }
}

/** Puts cells of one value around sequences `[batch, length, channels]`. */
export class ConstantPad1d extends ConstantPad {
  /** @throws InputError for paddings that are not integers of at least 0, or a value that is no number. */
  constructor(padding: PaddingSides, value: number) {
    super(padding, { axes: 1, value });
  }
}

/** Puts cells of one value around images `[batch, height, width, channels]`. */
export class ConstantPad2d extends ConstantPad {
  /** @throws InputError for paddings that are not integers of at least 0, or a value that is no number. */
  constructor(padding: PaddingSides, value: number) {
    super(padding, { axes: 2, value });
  }
}

/** Puts cells of one value around volumes `[batch, depth, height, width, channels]`. */
export class ConstantPad3d extends ConstantPad {
  /** @throws InputError for paddings that are not integers of at least 0, or a value that is no number. */
  constructor(padding: PaddingSides, value: number) {
    super(padding, { axes: 3, value });
  }
}

/** Puts zeros around sequences `[batch, length, channels]`. */
export class ZeroPad1d extends ConstantPad {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 1, value: 0 });
  }
}

/** Puts zeros around images `[batch, height, width, channels]`. */
export class ZeroPad2d extends ConstantPad {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 2, value: 0 });
  }
}

/** Puts zeros around volumes `[batch, depth, height, width, channels]`. */
export class ZeroPad3d extends ConstantPad {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 3, value: 0 });
  }
}

/** Mirrors sequences `[batch, length, channels]` at their borders, which are not repeated; less cells than an axis has. */
export class ReflectionPad1d extends Padding {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 1, mode: "reflect" });
  }
}

/**
 * Mirrors images `[batch, height, width, channels]` at their borders, which are not repeated; less cells than an axis has.
 * @example
 * const y = new ReflectionPad2d(3).call(x); // x [batch, height, width, channels], y [batch, height + 6, width + 6, channels]
 */
export class ReflectionPad2d extends Padding {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 2, mode: "reflect" });
  }
}

/** Mirrors volumes `[batch, depth, height, width, channels]` at their borders, which are not repeated; less cells than an axis has. */
export class ReflectionPad3d extends Padding {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 3, mode: "reflect" });
  }
}

/** Repeats the border cells of sequences `[batch, length, channels]`. */
export class ReplicationPad1d extends Padding {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 1, mode: "replicate" });
  }
}

/** Repeats the border cells of images `[batch, height, width, channels]`. */
export class ReplicationPad2d extends Padding {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 2, mode: "replicate" });
  }
}

/** Repeats the border cells of volumes `[batch, depth, height, width, channels]`. */
export class ReplicationPad3d extends Padding {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 3, mode: "replicate" });
  }
}

/** Goes on at the other end of sequences `[batch, length, channels]`; at most as many cells as an axis has. */
export class CircularPad1d extends Padding {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 1, mode: "circular" });
  }
}

/** Goes on at the other end of images `[batch, height, width, channels]`; at most as many cells as an axis has. */
export class CircularPad2d extends Padding {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 2, mode: "circular" });
  }
}

/** Goes on at the other end of volumes `[batch, depth, height, width, channels]`; at most as many cells as an axis has. */
export class CircularPad3d extends Padding {
  /** @throws InputError for paddings that are not integers of at least 0. */
  constructor(padding: PaddingSides) {
    super(padding, { axes: 3, mode: "circular" });
  }
}
