import {
  type DType,
  dataVersion,
  dispose,
  freeWhenCollected,
  InputError,
  keep,
  linear,
  noGrad,
  type RandomGenerator,
  type Shape,
  ShapeError,
  type Tensor,
  tidy,
  WeightsError,
} from "@ai/tensor";
import { assertOptionNames } from "./training/option-names.js";

/**
 * Draws the first values of a parameter.
 * @param shape Shape inside this library, for example `[kernelHeight, kernelWidth, inChannels, outChannels]`.
 * @param generator Random numbers that belong to this parameter alone; constants ignore it.
 * @returns `shape`
 */
export type Initializer = (shape: Shape, generator: RandomGenerator) => Tensor;

/** Options of {@link Parameter} and {@link StateTensor}. */
export interface StoredTensorOptions {
  /** Draws the first values. */
  readonly initializer: Initializer;
  /** Default float32. */
  readonly dtype?: DType;
  /**
   * Order of our axes in the checkpoint: axis `i` there is axis `permutation[i]` here. A convolution's filter
   * `[kernelHeight, kernelWidth, in, out]` with `[3, 2, 0, 1]` is stored as PyTorch's `[out, in, kernelHeight, kernelWidth]`.
   */
  readonly checkpointPermutation?: readonly number[];
}

/** Options of {@link Parameter}. */
export interface ParameterOptions extends StoredTensorOptions {
  /** Whether an optimizer may change it. Default true. */
  readonly requiresGrad?: boolean;
}

/** What was computed from stored tensors, and from which of their versions. */
interface Derived {
  readonly sources: readonly StoredTensor[];
  readonly versions: readonly number[];
  readonly tensors: readonly Tensor[];
  readonly releases: readonly (() => void)[];
}

/**
 * A tensor that a module owns across calls. Its shape is known at once; its values appear at first use,
 * when the module is asked for its parameters, or on load. Freed by {@link StoredTensor.dispose},
 * or by the garbage collector when neither the module nor its tensor is reachable.
 */
export abstract class StoredTensor {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly initializer: Initializer;
  readonly checkpointPermutation: readonly number[] | undefined;
  #tensor: Tensor | undefined;
  #release: (() => void) | undefined;
  #replaced = 0;
  #disposed = false;
  #derived: Derived | undefined;

  constructor(shape: Shape, options: StoredTensorOptions) {
    assertOptionNames(new.target.name, options, ["initializer", "dtype", "checkpointPermutation"]);
    const { initializer, dtype = "float32", checkpointPermutation } = options;
    if (!shape.every((length) => Number.isInteger(length) && length >= 0))
      throw new ShapeError(
        `${new.target.name}: expected non-negative integer sizes, got [${shape.join(", ")}]`,
      );
    if (typeof initializer !== "function")
      throw new InputError(
        `${new.target.name}: expected a function as initializer, got ${typeof initializer}; constant(0) makes one`,
      );
    this.shape = [...shape];
    this.dtype = dtype;
    this.initializer = initializer;
    this.checkpointPermutation = checkpointPermutation;
  }

  /** Whether it is computed from other parameters, which are stored in its place. */
  get derived(): boolean {
    return false;
  }

  /** What stands in a checkpoint for a derived value, by what follows its name there; undefined where that has names of its own. */
  get storedParts(): Readonly<Record<string, StateTensor>> | undefined {
    return undefined;
  }

  /** Whether the values are there already. */
  get hasValue(): boolean {
    return this.#tensor !== undefined;
  }

  /** Whether values have to be drawn before use: there are none and they were not disposed. */
  get needsValue(): boolean {
    return this.#tensor === undefined && !this.#disposed;
  }

  /**
   * The tensor, `shape`; it stays the property of this object: never dispose it.
   * @throws WeightsError before the module that owns it was called, loaded, or asked for `parameters()`; and after `dispose`.
   */
  get value(): Tensor {
    if (this.#tensor === undefined)
      throw new WeightsError(
        this.#disposed
          ? `${this.constructor.name}: expected live values, got disposed ones; build the module again, or the optimizer if the module was exchanged by replaceModules`
          : `${this.constructor.name}: expected values, got none yet; call initialize() or parameters() of the module first`,
      );
    return this.#tensor;
  }

  /** Rises with every change of the values, in place or by {@link setValue}: what was derived from older values is stale. */
  get version(): number {
    return this.#replaced + (this.#tensor === undefined ? 0 : (dataVersion(this.#tensor) ?? 0));
  }

  /**
   * Tensors computed from these values and others, kept until any of them changes or these are freed.
   * @param sources What they are computed from beside this.
   * @param compute Makes them, unrecorded; they are the property of this object.
   * @internal
   */
  derive(sources: readonly StoredTensor[], compute: () => Tensor[]): readonly Tensor[] {
    const versions = [this, ...sources].map(({ version }) => version);
    const known = this.#derived;
    const isFresh =
      known?.sources.length === sources.length &&
      known.sources.every((source, index) => source === sources[index]) &&
      known.versions.every((version, index) => version === versions[index]);
    if (known !== undefined && isFresh) return known.tensors;
    this.releaseDerived();
    const tensors = compute().map((tensor) => keep(tensor));
    this.#derived = { sources, versions, tensors, releases: tensors.map(freeWhenCollected) };
    return tensors;
  }

  /** Frees what {@link derive} keeps: it is computed again when it is asked for. @internal */
  releaseDerived(): void {
    for (const release of this.#derived?.releases ?? []) release();
    dispose([...(this.#derived?.tensors ?? [])]);
    this.#derived = undefined;
  }

  /** How many numbers it holds. */
  get size(): number {
    return this.shape.reduce((product, length) => product * length, 1);
  }

  /** Bytes of its numbers. */
  get bytes(): number {
    return this.size * (this.dtype === "bool" ? 1 : 4);
  }

  /** Shape in a checkpoint. */
  get checkpointShape(): Shape {
    return this.checkpointPermutation?.map((axis) => this.shape[axis]) ?? this.shape;
  }

  /**
   * Replaces the values. The tensor belongs to this object from now on; the old one is freed.
   * @param tensor `shape`, of this dtype.
   * @throws ShapeError or InputError when shape or dtype differ.
   */
  setValue(tensor: Tensor): void {
    const kind = this.constructor.name;
    if (
      tensor.shape.length !== this.shape.length ||
      tensor.shape.some((length, axis) => length !== this.shape[axis])
    )
      throw new ShapeError(
        `${kind}: expected shape [${this.shape.join(", ")}], got [${tensor.shape.join(", ")}]`,
      );
    if (tensor.dtype !== this.dtype)
      throw new InputError(`${kind}: expected ${this.dtype}, got ${tensor.dtype}; cast it first`);
    const version = this.version;
    if (tensor !== this.#tensor) {
      this.#free();
      this.#tensor = keep(tensor);
      this.#release = freeWhenCollected(tensor);
      this.#disposed = false;
    }
    this.#replaced = version + 1 - (dataVersion(tensor) ?? 0);
  }

  /** Draws the first values from `generator`, unrecorded even inside a gradient. */
  initialize(generator: RandomGenerator): void {
    this.setValue(noGrad(() => tidy(() => this.initializer(this.shape, generator))));
  }

  /** Frees the values. Calling it twice does nothing. */
  dispose(): void {
    this.#free();
    this.#disposed = true;
  }

  #free(): void {
    this.releaseDerived();
    this.#release?.();
    this.#release = undefined;
    if (this.#tensor !== undefined) dispose(this.#tensor);
    this.#tensor = undefined;
  }
}

/**
 * A trainable tensor of a module.
 * @example
 * class Scale extends Module<[x: Tensor], Tensor> {
 *   readonly factor = new Parameter([1], { initializer: constant(1) });
 *   protected forward(x: Tensor) { return mul(x, this.factor.value); }
 * }
 */
export class Parameter extends StoredTensor {
  /** Whether an optimizer may change it; {@link Module.requiresGrad} sets it for a whole module. */
  requiresGrad: boolean;
  /** 1 and 0, of this shape: numbers that stay 0, whatever an optimizer does. Set by pruning; the module owns it. */
  mask: StateTensor | undefined;

  /** @throws ShapeError for sizes that are not integers of at least 0; InputError for an unknown option. */
  constructor(shape: Shape, options: ParameterOptions) {
    if (!Array.isArray(shape))
      throw new InputError(
        `Parameter: expected a shape and { initializer }, got ${typeof (shape as { dataId?: unknown } | undefined)?.dataId === "object" ? "a tensor; pass tensor.shape and { initializer: () => tensor }, which takes it over" : typeof shape}`,
      );
    assertOptionNames(new.target.name, options, [
      "initializer",
      "dtype",
      "checkpointPermutation",
      "requiresGrad?",
    ]);
    const { requiresGrad = true, ...others } = options;
    super(shape, others);
    this.requiresGrad = requiresGrad;
  }

  /**
   * `x · valueᵀ + bias`, as it is fastest for what is stored.
   * @param x `[..., columns]`, for a parameter `[rows, columns]` @param bias `[rows]`
   * @returns `[..., rows]`
   */
  linear(x: Tensor, bias?: Tensor): Tensor {
    return linear(x, this.value, bias);
  }
}

/** State of a module that is saved and loaded but not trained, such as running statistics (PyTorch's buffer). */
export class StateTensor extends StoredTensor {}

/** An integer of a module that is saved and loaded as an int64 scalar, such as `num_batches_tracked`; kept on the host. */
export class StateCounter {
  /** The number now. */
  value: number;
  readonly #first: number;

  constructor(value = 0) {
    this.value = value;
    this.#first = value;
  }

  /** Back to the first number. */
  reset(): void {
    this.value = this.#first;
  }
}
