import type { Tensor } from "@tensorflow/tfjs-core";
import type { TypedArray } from "../dtype.js";
import { WeightsError } from "../errors.js";
import type { Shape } from "../shape.js";
import { fromValues } from "../tensor.js";
import type { HostEntry } from "./dtypes.js";

/** Options of what reads weights. */
export interface ReadOptions {
  /** Aborts what has not been read yet. */
  readonly signal?: AbortSignal;
}

/** Options of reading several tensors at once. */
export interface ReadManyOptions extends ReadOptions {
  /** Which; all when left out. */
  readonly names?: readonly string[];
}

/** What a file says of a tensor before its values are read. */
export interface WeightsInfo {
  /** As the format calls it: `F16`, `Q4_K`, `torch.float32` … */
  readonly dtype: string;
  /** PyTorch's order: the last axis is the one whose values lie side by side. */
  readonly shape: Shape;
}

/**
 * Opened weights of any format: names and shapes are known, values are read when they are asked for.
 * {@link SafetensorsFile} and the files of the other readers are such.
 */
export interface WeightsFile {
  /** Names in the order of the file. */
  readonly names: readonly string[];
  /** Whether there is a tensor of that name. */
  has(name: string): boolean;
  /** Stored dtype and shape of a tensor. @throws WeightsError when there is none of that name. */
  info(name: string): WeightsInfo;
  /** A tensor's values on the host, int64 exactly. @throws WeightsError when it cannot be read. */
  host(name: string, options?: ReadOptions): Promise<HostEntry>;
  /** A new tensor on the device in use, which is the caller's. @throws WeightsError also when an integer does not fit int32. */
  tensor(name: string, options?: ReadOptions): Promise<Tensor>;
  /** Several on the host, by name in the order asked for. */
  hosts(options?: ReadManyOptions): Promise<Map<string, HostEntry>>;
  /** Several new tensors, all of them the caller's. */
  tensors(options?: ReadManyOptions): Promise<Map<string, Tensor>>;
}

/** A tensor that is read when asked for. */
export interface LazyEntry extends WeightsInfo {
  /** Names file, tensor and offset in errors. */
  readonly where: string;
  /** Reads and converts the values. */
  load(signal?: AbortSignal): Promise<HostEntry>;
}

/** {@link WeightsFile} over lazy entries: what the readers of the formats extend. */
export class LazyWeights implements WeightsFile {
  readonly names: readonly string[];
  readonly #entries: ReadonlyMap<string, LazyEntry>;
  readonly #file: string;

  /** @param file Name for errors. */
  constructor(file: string, entries: ReadonlyMap<string, LazyEntry>) {
    this.#file = file;
    this.#entries = entries;
    this.names = [...entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  info(name: string): WeightsInfo {
    const { dtype, shape } = this.lazyEntry(name);
    return { dtype, shape };
  }

  async host(name: string, { signal }: ReadOptions = {}): Promise<HostEntry> {
    signal?.throwIfAborted();
    return this.lazyEntry(name).load(signal);
  }

  async tensor(name: string, options: ReadOptions = {}): Promise<Tensor> {
    const host = await this.host(name, options);
    return hostToTensor(this.lazyEntry(name).where, host);
  }

  async hosts({ names = this.names, signal }: ReadManyOptions = {}): Promise<Map<string, HostEntry>> {
    const options = signal === undefined ? {} : { signal };
    for (const name of names) this.lazyEntry(name);
    const hosts = new Map<string, HostEntry>();
    for (const name of names) hosts.set(name, await this.host(name, options));
    return hosts;
  }

  async tensors({ names = this.names, signal }: ReadManyOptions = {}): Promise<Map<string, Tensor>> {
    const options = signal === undefined ? {} : { signal };
    for (const name of names) this.lazyEntry(name);
    const tensors = new Map<string, Tensor>();
    try {
      for (const name of new Set(names)) tensors.set(name, await this.tensor(name, options));
    } catch (error) {
      for (const tensor of tensors.values()) tensor.dispose();
      throw error;
    }
    return tensors;
  }

  /** @throws WeightsError when there is none of that name. */
  protected lazyEntry(name: string): LazyEntry {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      const some = this.names.slice(0, 5).join(", ");
      throw new WeightsError(
        `${this.#file}: expected a tensor of the file, got ${JSON.stringify(name)}; there are ${this.names.length}: ${some}${this.names.length > 5 ? " …" : ""}`,
      );
    }
    return entry;
  }
}

/**
 * Host values as a new tensor on the device in use; int64 becomes int32.
 * @param where Names file and tensor in errors.
 * @throws WeightsError when an integer does not fit int32.
 */
export function hostToTensor(where: string, { dtype, shape, values }: HostEntry): Tensor {
  if (dtype !== "int64") return fromValues(values as TypedArray, shape, dtype);
  const fitting = Int32Array.from(values, (value) => {
    if (BigInt.asIntN(32, value) !== value)
      throw new WeightsError(
        `${where}: expected int64 values that fit int32, got ${value}; read the host values`,
      );
    return Number(value);
  });
  return fromValues(fitting, shape, "int32");
}
