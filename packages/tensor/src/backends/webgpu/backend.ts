import type { BackendValues, DataType, KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";

/** What tfjs's WebGPU backend keeps of one tensor: values on the host, a buffer on the GPU, or both after a read. */
export interface GpuTensorData {
  values: BackendValues | null;
  readonly dtype: DataType;
  readonly shape: number[];
  resource?: GPUBuffer | null;
  readonly external?: boolean;
}

/** tfjs's pool of GPU buffers, by `size_usage`. */
export interface GpuBufferPool {
  readonly freeBuffers: Map<string, GPUBuffer[]>;
  readonly usedBuffers: Map<string, GPUBuffer[]>;
  numFreeBuffers: number;
  readonly numBytesUsed: number;
  numBytesAllocated: number;
  acquireBuffer(size: number, usage: number, mappedAtCreation?: boolean, reuse?: boolean): GPUBuffer;
  releaseBuffer(buffer: GPUBuffer, reuse?: boolean): void;
}

/** The parts of tfjs's WebGPU backend that its public types hide and that this library works with. */
export interface GpuBackend extends KernelBackend {
  readonly device: GPUDevice;
  readonly bufferManager: GpuBufferPool;
  readonly tensorMap: { get(dataId: object): GpuTensorData; has(dataId: object): boolean };
  commandEncoder: GPUCommandEncoder | null;
  computePassEncoder: GPUComputePassEncoder | null;
  dispatchCountInPass: number;
  readonly commandQueueOwnedIds: WeakSet<object>;
  readonly uniformPendingDisposal: GPUBuffer[];
  ensureCommandEncoderReady(): void;
  endComputePassEncoder(): void;
  submitQueue(): void;
  uploadToGPU(dataId: object): void;
  makeTensorInfo(shape: readonly number[], dtype: DataType, values?: BackendValues): TensorInfo;
  runWebGPUProgram(...args: unknown[]): TensorInfo;
  shouldExecuteOnCPU(...args: unknown[]): boolean;
}

/** The backend that a kernel was called on, with its internals. */
export function gpuBackend(backend: KernelBackend): GpuBackend {
  return backend as unknown as GpuBackend;
}

/** Ends the open compute pass and hands everything recorded so far to the GPU. */
export function submit(backend: GpuBackend): void {
  if (backend.commandEncoder === null) return;
  backend.endComputePassEncoder();
  backend.submitQueue();
}
