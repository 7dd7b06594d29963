import { InputError, type Tensor } from "@ai/tensor";
import { type AnyModule, Module } from "./module.js";

/** A layer from one tensor to one tensor. */
export type TensorModule = Module<[x: Tensor], Tensor>;

/**
 * Layers one after the other. Their checkpoint names are `0`, `1`, ….
 * @example
 * const model = new Sequential(new Linear(784, 128), new ReLU(), new Linear(128, 10));
 */
export class Sequential extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames = { layers: "" };
  /** The layers in order. */
  readonly layers: readonly TensorModule[];

  /** @throws InputError for an argument that is not a module. */
  constructor(...layers: readonly TensorModule[]) {
    super();
    assertModules("Sequential", layers);
    this.layers = [...layers];
  }

  /**
   * @param x `[...]` what the first layer takes.
   * @returns `[...]` what the last layer gives; the input when there is no layer.
   */
  protected forward(x: Tensor): Tensor {
    return this.layers.reduce((result, layer) => layer.call(result), x);
  }
}

/** Gives its input back: a place holder for a layer that was taken out. */
export class Identity extends Module<[x: Tensor], Tensor> {
  /** @param x `[...]` @returns `[...]` */
  protected forward(x: Tensor): Tensor {
    return x;
  }
}

function assertModules(container: string, layers: readonly AnyModule[]): void {
  layers.forEach((layer, index) => {
    if (!(layer instanceof Module))
      throw new InputError(
        `${container}: expected modules, got ${typeof layer} at position ${index}; pass them one by one`,
      );
  });
}
