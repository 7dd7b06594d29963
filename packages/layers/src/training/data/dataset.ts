import {
  fromValues,
  gather,
  InputError,
  RandomGenerator,
  reshape,
  ShapeError,
  stopGradient,
  type Tensor,
  tidy,
} from "@ai/tensor";
import { assertHostTensor, gatherRows, type HostTensor, isHostTensor, isTensor } from "./host-tensor.js";

/** What a dataset may depend on besides the position: equal again when a run is resumed. */
export interface ItemContext {
  /** How often the data were gone through before, from 0. */
  readonly epoch: number;
  /** Random numbers for this item in this epoch only, whatever was drawn elsewhere: augmentation repeats exactly. */
  readonly generator: RandomGenerator;
}

/** Items addressed by position. Tensors inside an item that `get` returns are the caller's. */
export interface Dataset<Item> {
  /** Number of items. */
  readonly length: number;
  /** @throws InputError when `index` is not in [0, length). */
  get(index: number, context?: ItemContext): Item | Promise<Item>;
  /** Several items as one finished batch; where present it replaces `get` and the default collate. */
  getBatch?(indices: Int32Array): unknown;
}

/** Items that come one after another: a file read line by line, a download. */
export interface IterableSource<Item> {
  /** Starts from the first item; the same items in the same order for the same epoch. */
  iterate(epoch: number): AsyncIterable<Item> | Iterable<Item>;
}

/** The context of an item that is asked for without one. */
export function itemContext(seed: number, epoch: number, index: number): ItemContext {
  let generator: RandomGenerator | undefined;
  return {
    epoch,
    get generator() {
      generator ??= new RandomGenerator(seed).fork(`item ${epoch} ${index}`);
      return generator;
    },
  };
}

function assertIndex(operation: string, index: number, length: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= length)
    throw new InputError(`${operation}: expected an index in [0, ${length}), got ${index}`);
}

/** The same structure with tensors of the caller's own on the same data. */
function withOwnTensors<Value>(value: Value): Value {
  if (isTensor(value)) return stopGradient(value) as Value;
  if (isHostTensor(value) || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(withOwnTensors) as Value;
  if (typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype)
    return Object.fromEntries(
      Object.entries(value).map(([name, part]) => [name, withOwnTensors(part)]),
    ) as Value;
  return value;
}

/**
 * Items of an array. Tensors in them stay the array's; `get` gives aliases.
 * @example
 * const data = new ArrayDataset([[Float32Array.of(0, 1), 1], [Float32Array.of(1, 1), 0]]);
 * const collate = createCollate({ numberDtype: "int32" }); // class indices, as CrossEntropyLoss takes them
 * const loader = new DataLoader(data, { batchSize: 2, collate }); // [inputs [2, 2], labels [2]]
 */
export class ArrayDataset<Item> implements Dataset<Item> {
  readonly #items: readonly Item[];

  constructor(items: readonly Item[]) {
    if (!Array.isArray(items)) throw new InputError(`ArrayDataset: expected an array, got ${typeof items}`);
    this.#items = items;
  }

  get length(): number {
    return this.#items.length;
  }

  get(index: number): Item {
    assertIndex("ArrayDataset", index, this.length);
    return withOwnTensors(this.#items[index]);
  }
}

/**
 * Rows of tensors that share their first size: item `i` is `[a[i], b[i], …]`. The tensors stay the caller's.
 * Host tensors are copied to the device a batch at a time; device tensors are gathered there.
 * @param tensors One or more of `[items, ...]`, each a tensor or values on the host.
 * @example
 * const data = new TensorDataset([images, labels]);
 * for await (const [x, y] of new DataLoader(data, { batchSize: 32, shuffle: true })) { … }
 */
export class TensorDataset implements Dataset<Tensor[]> {
  readonly #tensors: readonly (Tensor | HostTensor)[];
  readonly length: number;

  /** @throws ShapeError when the first sizes differ or a tensor is a scalar. */
  constructor(tensors: readonly (Tensor | HostTensor)[]) {
    if (!Array.isArray(tensors) || tensors.length === 0)
      throw new InputError("TensorDataset: expected an array of at least one tensor, got none");
    const other = tensors.find((tensor) => !isTensor(tensor) && !isHostTensor(tensor)) as unknown;
    if (other !== undefined || tensors.includes(undefined))
      throw new InputError(
        `TensorDataset: expected tensors or { values, shape, dtype }, got ${Array.isArray(other) ? "an array" : typeof other}; make tensors with tensor()`,
      );
    this.length = tensors[0].shape[0];
    for (const tensor of tensors) {
      if (tensor.shape.length === 0 || tensor.shape[0] !== this.length)
        throw new ShapeError(
          `TensorDataset: expected tensors of one first size, got [${tensors.map((each) => `[${each.shape.join(", ")}]`).join(", ")}]`,
        );
      if (isHostTensor(tensor)) assertHostTensor("TensorDataset", tensor);
    }
    this.#tensors = tensors;
  }

  /** @returns one tensor `[...]` a tensor of the dataset: row `index`. */
  get(index: number): Tensor[] {
    assertIndex("TensorDataset", index, this.length);
    return tidy(() => this.#rows(Int32Array.of(index)).map((row) => reshape(row, row.shape.slice(1))));
  }

  /** @returns one tensor `[indices, ...]` a tensor of the dataset. */
  getBatch(indices: Int32Array): Tensor[] {
    for (const index of indices) assertIndex("TensorDataset", index, this.length);
    return this.#rows(indices);
  }

  #rows(indices: Int32Array): Tensor[] {
    return this.#tensors.map((source) => {
      if (isHostTensor(source)) return gatherRows(source, indices);
      return tidy(() => gather(source, fromValues(indices.slice(), [indices.length], "int32")));
    });
  }
}
