import { flatten, InputError, type Tensor, transpose } from "@ai/tensor";
import { assertTensor } from "./checks.js";
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

  constructor(options: FlattenOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, ["startAxis", "endAxis"]);
    const { startAxis = 1, endAxis = -1 } = options;
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
