import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";
import type { DataStorage, DataType, TensorInfo } from "@tensorflow/tfjs-core";
import { BYTES_PER_ELEMENT, type DType } from "../../dtype.js";
import { DeviceError, KernelError } from "../../errors.js";
import type { HeapReport } from "../../memory.js";
import { type Shape, sizeOf } from "../../shape.js";
import { dataVersion } from "../../versions.js";
import type { WasmExports } from "./exports.generated.js";
import { DataReference, type HostValues, type PackedCopy, RecordStorage, TensorRecord } from "./records.js";
import type { WasmRuntime } from "./runtime.js";

/** Tensors made last that the garbage collector's net does not watch yet: most are disposed at once. */
const YOUNG = 256;
/** Bytes from which a tensor is watched at once. */
const LARGE = 65536;
/** The collector is called when what the net watches has grown by so much since the last call. */
const CALL_BYTES = 2 ** 26;
/** V8 begins to collect when 64 MiB of array buffers have come since the last time; untouched, they take no memory. */
const BALLAST_BYTES = 2 ** 26 + 2 ** 20;

const bytesOf = ({ length, dtype }: TensorRecord): number => length * BYTES_PER_ELEMENT[dtype as DType];

type TensorReference = { dataId: object };

/**
 * The CPU engine: tensors in one WebAssembly memory, tfjs's JavaScript kernels on views of it as the fallback.
 * Kernels get it as their `backend`; see docs/contributing/wasm-kernels.md.
 */
export class WasmBackend extends MathBackendCPU {
  /** Frees what a garbage-collected tensor that nobody disposed held. */
  private readonly collected = new FinalizationRegistry<TensorRecord>((record) => {
    const bytes = bytesOf(record);
    this.watchedBytes -= bytes;
    this.callAbove = Math.max(CALL_BYTES, this.callAbove - bytes);
    this.free(record);
  });
  /** Bytes of the tensors that the net watches, and from where on the collector is called. */
  private watchedBytes = 0;
  private callAbove = CALL_BYTES;

  /** The last small tensors and what is known about them; a disposed one leaves its place empty. */
  private readonly youngIds = new Array<object | undefined>(YOUNG).fill(undefined);
  private readonly youngRecords = new Array<TensorRecord | undefined>(YOUNG).fill(undefined);
  private nextYoung = 0;
  private packedBytes = 0;
  /** What has packed copies. */
  private readonly packing = new Set<TensorRecord>();
  /** Outputs of the kernels that run, and how many kernels run: one may call others. */
  private readonly fresh: (object | undefined)[] = [];
  private freshCount = 0;
  private running = 0;
  /** The same object as tfjs's `data`, under its own type. */
  private readonly records: RecordStorage;

  constructor(readonly runtime: WasmRuntime) {
    super();
    const inherited = this as unknown as { firstUse: boolean; data: DataStorage<unknown> };
    inherited.firstUse = false; // no banner
    this.records = new RecordStorage(this, runtime);
    inherited.data = this.records;
    runtime.releaseCopies = () => this.releaseCopies();
  }

  /** Runs a kernel of the engine's. When it throws, what it has allocated is freed: nobody else knows of it. */
  attempt<Call, Result>(kernel: (call: Call) => Result, call: Call): Result {
    const first = this.freshCount;
    this.running++;
    let result: Result;
    try {
      result = kernel(call);
    } catch (error) {
      this.runtime.pool.endJob();
      for (let i = first; i < this.freshCount; i++) this.disposeData(this.fresh[i]!, true);
      this.forget(first);
      this.settle();
      throw error;
    }
    this.settle();
    return result;
  }

  /** Ends a kernel: the outermost one's outputs are its caller's now. */
  private settle(): void {
    if (--this.running > 0) return;
    if (this.freshCount > 0) this.forget(0);
    this.runtime.isWorkspaceIdle = true;
  }

  /** Forgets the outputs of kernels from number `first` on. */
  private forget(first: number): void {
    for (let i = first; i < this.freshCount; i++) this.fresh[i] = undefined;
    this.freshCount = first;
  }

  /** The compiled kernels. Their addresses come from {@link pointer} and {@link allocateOutput}. */
  get exports(): WasmExports {
    return this.runtime.exports;
  }

  /**
   * Address of a tensor's values; values that are still on the host move into the heap.
   * It stays valid until the tensor is disposed, also when the memory grows.
   * @param tensor `[...]` float32 and int32 take 4 bytes an element, bool 1.
   * @throws KernelError for a dtype that has no place in the heap (`string`, `complex64`).
   */
  pointer(tensor: TensorReference): number {
    const record = this.record(tensor.dataId);
    if (record.pointer === 0) {
      const { dtype } = record;
      if (dtype === "string" || dtype === "complex64")
        throw new KernelError(
          `wasm: expected float32, int32 or bool, got ${dtype}; cast or split the tensor first`,
        );
      const values = record.values as ArrayLike<number>;
      this.place(tensor.dataId, record);
      (record.values as Float32Array).set(values);
    }
    return record.pointer;
  }

  /** A new tensor in the heap whose values the kernel has yet to write. @returns its description; `pointer` gives its address. */
  allocateOutput(shape: Shape, dtype: DType = "float32"): TensorInfo {
    const record = new TensorRecord(this.runtime, dtype, sizeOf(shape), 1);
    const dataId = new DataReference(this.nextId());
    this.place(dataId, record);
    this.records.set(dataId, record);
    if (this.running > 0) this.fresh[this.freshCount++] = dataId;
    return { dataId, shape: shape.slice(), dtype };
  }

  /** Address of working memory that is valid until the next kernel: at least `bytes`. */
  scratch(bytes: number): number {
    return this.runtime.scratch(bytes);
  }

  /** A second reference to the same values under another shape; nothing is copied. */
  alias(tensor: TensorInfo, shape: Shape): TensorInfo {
    this.incRef(tensor.dataId);
    return { dataId: tensor.dataId, shape: [...shape], dtype: tensor.dtype };
  }

  /** Whether a tensor is float32 and its values are stored as such: what most of our kernels take. */
  isFloat32(tensor: TensorInfo): boolean {
    return tensor.dtype === "float32" && this.record(tensor.dataId).dtype === "float32";
  }

  /** The dtype that a tensor's values are stored in: tfjs's JavaScript kernels may relabel integers as floats. */
  storedDType(tensor: TensorInfo): DataType {
    return this.record(tensor.dataId).dtype;
  }

  /**
   * A packed copy of a matrix that is used again and again, such as a weight. The copy is made at the second use of the same
   * version of the data and freed with them, or when they are updated in place.
   * @returns its address, valid until the next allocation, and whether it is filled: if not, fill `bytes` there and then
   * set `isFilled`. Undefined at the first use, and where there is no room for a copy.
   */
  packedCopy(
    tensor: TensorReference,
    layout: string,
    bytes: number,
  ): Pick<PackedCopy, "pointer" | "isFilled"> | undefined {
    const record = this.record(tensor.dataId);
    const version = dataVersion(tensor);
    record.packed ??= new Map();
    const known = record.packed.get(layout);
    if (known === undefined || known.version !== version) {
      if (known !== undefined) this.releasePacked(known);
      record.packed.set(layout, { version, pointer: 0, bytes: 0, isFilled: false });
      return undefined;
    }
    if (known.pointer !== 0) return known;
    const { allocator } = this.runtime;
    const before = allocator.bytesInUse;
    try {
      known.pointer = allocator.allocate(bytes);
    } catch (error) {
      if (error instanceof DeviceError) return undefined;
      throw error;
    }
    known.bytes = allocator.bytesInUse - before;
    this.packedBytes += known.bytes;
    this.packing.add(record);
    return known;
  }

  /** What the memory is used for. */
  heap(): HeapReport {
    const { allocator, memory, limitBytes, tensorBytes, workingBytes } = this.runtime;
    const { freeBytes, largestBytes } = allocator.fragmentation();
    return {
      capacityBytes: memory.buffer.byteLength,
      limitBytes,
      tensorBytes: tensorBytes - this.packedBytes,
      packedBytes: this.packedBytes,
      workingBytes,
      freeBytes,
      largestFreeBytes: largestBytes,
    };
  }

  override write(values: HostValues, shape: number[], dtype: DataType): object {
    const dataId = new DataReference(this.nextId());
    this.move(dataId, values, shape, dtype, 1);
    return dataId;
  }

  override move(
    dataId: object,
    values: HostValues,
    shape: number[],
    dtype: DataType,
    refCount: number,
  ): void {
    const record = new TensorRecord(this.runtime, dtype, sizeOf(shape), refCount);
    // tfjs's slice and top-k return views of their input: copied, because the owner may free it
    record.values = this.runtime.owns(values) ? (values as Float32Array).slice() : values;
    this.records.set(dataId, record);
  }

  override readSync(dataId: object): HostValues {
    const record = this.record(dataId);
    // never a view of the heap: it would change or detach under the reader
    if (record.pointer !== 0) return (record.values as Float32Array).slice();
    return super.readSync(dataId);
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.records.has(dataId)) return true;
    const record = this.record(dataId);
    record.refCount--;
    if (!force && record.refCount > 0) return false;
    const { complexTensorInfos } = record;
    if (complexTensorInfos !== undefined)
      for (const { dataId: part } of [complexTensorInfos.real, complexTensorInfos.imag])
        this.disposeData(part, true);
    this.records.delete(dataId);
    this.unwatch(record);
    this.free(record);
    return true;
  }

  private record(dataId: object): TensorRecord {
    return this.records.get(dataId);
  }

  private nextId(): number {
    return (this as unknown as { nextDataId(): number }).nextDataId();
  }

  /** Gives a record its place in the heap. */
  private place(dataId: object, record: TensorRecord): void {
    const bytes = bytesOf(record);
    record.pointer = this.runtime.allocate(bytes);
    record.values = undefined;
    if (bytes >= LARGE) {
      this.watch(dataId, record);
      return;
    }
    const slot = this.nextYoung;
    this.nextYoung = (slot + 1) % YOUNG;
    const older = this.youngRecords[slot];
    if (older !== undefined) this.watch(this.youngIds[slot]!, older);
    this.youngIds[slot] = dataId;
    this.youngRecords[slot] = record;
    record.youngSlot = slot;
  }

  /** Has a tensor freed when the garbage collector finds it. */
  private watch(dataId: object, record: TensorRecord): void {
    record.youngSlot = -1;
    record.isWatched = true;
    this.collected.register(dataId, record, record);
    this.watchedBytes += bytesOf(record);
    if (this.watchedBytes > this.callAbove) this.callCollector();
  }

  /** Has the garbage collector look for forgotten tensors: it sees only their small objects, not what they hold. */
  private callCollector(): void {
    this.callAbove = this.watchedBytes + CALL_BYTES;
    try {
      new ArrayBuffer(BALLAST_BYTES);
    } catch {
      // refused for want of memory, after a collection
    }
  }

  private unwatch(record: TensorRecord): void {
    const { youngSlot } = record;
    if (record.isWatched) {
      this.collected.unregister(record);
      this.watchedBytes -= bytesOf(record);
    } else if (youngSlot >= 0) {
      this.youngIds[youngSlot] = undefined;
      this.youngRecords[youngSlot] = undefined;
    }
  }

  private free(record: TensorRecord): void {
    const { allocator } = this.runtime;
    if (record.pointer !== 0) allocator.release(record.pointer);
    record.pointer = 0;
    if (record.packed !== undefined) this.releasePackedOf(record);
  }

  /** Frees all packed copies; no kernel keeps the address of one across an allocation. */
  private releaseCopies(): void {
    for (const record of this.packing) this.releasePackedOf(record);
  }

  private releasePackedOf(record: TensorRecord): void {
    for (const copy of record.packed!.values()) this.releasePacked(copy);
    record.packed = undefined;
    this.packing.delete(record);
  }

  private releasePacked({ pointer, bytes }: PackedCopy): void {
    if (pointer !== 0) this.runtime.allocator.release(pointer);
    this.packedBytes -= bytes;
  }
}
