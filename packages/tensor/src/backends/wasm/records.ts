import {
  type backend_util,
  DataStorage,
  type DataType,
  engine,
  type KernelBackend,
  type TensorInfo,
} from "@tensorflow/tfjs-core";
import type { WasmRuntime } from "./runtime.js";

/** A packed copy of a matrix, kept for as long as the data are unchanged. */
export interface PackedCopy {
  readonly version: number | undefined;
  pointer: number;
  bytes: number;
  /** Whether the values stand at `pointer`; who fills them says so when it is done. */
  isFilled: boolean;
}

export type HostValues = backend_util.BackendValues;

/** What the backend knows about one dataId. The values lie in the heap, or on the host until a kernel asks for them. */
export class TensorRecord {
  refCount: number;
  /** Address in the heap; 0 while the values are on the host. */
  pointer = 0;
  complexTensorInfos: { real: TensorInfo; imag: TensorInfo } | undefined = undefined;
  packed: Map<string, PackedCopy> | undefined = undefined;
  /** Place among the youngest tensors, which the garbage collector's net does not watch yet; −1 for none. */
  youngSlot = -1;
  isWatched = false;
  private view: HostValues | undefined = undefined;

  constructor(
    readonly runtime: WasmRuntime,
    readonly dtype: DataType,
    readonly length: number,
    refCount: number,
  ) {
    this.refCount = refCount;
  }

  /** What tfjs's JavaScript kernels read. A view of the heap is made anew when growth detached the last one. */
  get values(): HostValues | undefined {
    if (this.pointer === 0) return this.view;
    const { buffer } = this.runtime.uint8;
    if (this.view === undefined || (this.view as Float32Array).buffer !== buffer) {
      const kind = this.dtype === "float32" ? Float32Array : this.dtype === "int32" ? Int32Array : Uint8Array;
      this.view = new kind(buffer as ArrayBuffer, this.pointer, this.length);
    }
    return this.view;
  }

  set values(values: HostValues | undefined) {
    this.view = values;
  }
}

/** A dataId of the engine's own: its record hangs on it, which is faster to find than in a weak map. */
export class DataReference {
  record: TensorRecord | undefined = undefined;

  constructor(readonly id: number) {}
}

/** tfjs's table of a backend's data: dataIds that another backend made are kept in tfjs's weak map. */
export class RecordStorage extends DataStorage<TensorRecord> {
  private count = 0;

  constructor(
    backend: KernelBackend,
    private readonly runtime: WasmRuntime,
  ) {
    super(backend, engine());
  }

  private own(dataId: object): TensorRecord | undefined {
    if (!(dataId instanceof DataReference)) return undefined;
    const { record } = dataId;
    return record !== undefined && record.runtime === this.runtime ? record : undefined;
  }

  override get(dataId: object): TensorRecord {
    return this.own(dataId) ?? super.get(dataId);
  }

  override set(dataId: object, record: TensorRecord): void {
    if (!(dataId instanceof DataReference)) {
      super.set(dataId, record);
      return;
    }
    dataId.record = record;
    this.count++;
  }

  override has(dataId: object): boolean {
    return this.own(dataId) !== undefined || super.has(dataId);
  }

  override delete(dataId: object): boolean {
    if (this.own(dataId) === undefined) return super.delete(dataId);
    (dataId as DataReference).record = undefined;
    this.count--;
    return true;
  }

  override numDataIds(): number {
    return this.count + super.numDataIds();
  }
}
