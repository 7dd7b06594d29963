import { InputError, type Tensor } from "@ai/tensor";
import type { ActivationLayer, FoldingConvolution } from "./folding.js";
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
    let result = x;
    for (let index = 0; index < this.layers.length; ) {
      const folded = callFolded(result, this.layers.slice(index, index + 3));
      result = folded?.output ?? this.layers[index].call(result);
      index += folded?.count ?? 1;
    }
    return result;
  }
}

/** Calls a convolution with its normalization and, where there is one, the activation. @returns how many layers that was */
function callFolded(
  x: Tensor,
  [layer, norm, last]: readonly TensorModule[],
): { output: Tensor; count: number } | undefined {
  const convolution = layer as TensorModule & Partial<FoldingConvolution>;
  if (norm === undefined || convolution.callNormalized === undefined) return undefined;
  const activation = last?.isObserved
    ? undefined
    : (last as Partial<ActivationLayer> | undefined)?.foldedActivation;
  const output = convolution.callNormalized(x, norm, activation);
  return output && { output, count: activation === undefined ? 2 : 3 };
}

/**
 * Layers by position, for a model that calls them itself. Their checkpoint names are `0`, `1`, ….
 * @example
 * for (const block of this.blocks.modules) x = block.call(x);
 */
export class ModuleList<Item extends AnyModule = TensorModule> extends Module<[], never> {
  static override readonly checkpointNames = { modules: "" };
  /** The layers in order. */
  readonly modules: readonly Item[];

  /** @throws InputError for an entry that is not a module. */
  constructor(modules: readonly Item[] = []) {
    super();
    assertModules("ModuleList", modules);
    this.modules = [...modules];
  }

  /** @throws InputError always: a list says nothing about how its layers follow each other. */
  protected forward(): never {
    throw new InputError(
      "ModuleList: expected a call of one of its modules, got a call of the list; use Sequential",
    );
  }
}

/** Layers by name, for a model that calls them itself. A layer's key is its checkpoint name. */
export class ModuleDict<Item extends AnyModule = TensorModule> extends Module<[], never> {
  static override readonly checkpointNames = { modules: "" };
  readonly modules: Readonly<Record<string, Item>>;

  /** @throws InputError for an entry that is not a module, or a key that is empty or has a dot. */
  constructor(modules: Readonly<Record<string, Item>> = {}) {
    super();
    for (const key of Object.keys(modules))
      if (key === "" || key.includes("."))
        throw new InputError(
          `ModuleDict: expected keys without dots, got "${key}"; they are parts of checkpoint names`,
        );
    assertModules("ModuleDict", Object.values(modules));
    this.modules = { ...modules };
  }

  /** @throws InputError always: a dictionary says nothing about how its layers follow each other. */
  protected forward(): never {
    throw new InputError("ModuleDict: expected a call of one of its modules, got a call of the dictionary");
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
