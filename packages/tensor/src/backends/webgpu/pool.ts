import { engine } from "../../engine.js";
import { DeviceError } from "../../errors.js";
import { type GpuBackend, gpuBackend } from "./backend.js";

/** Bytes that may lie unused before the pool is looked at: below this a trim is not worth it. */
const SLACK_BYTES = 64 * 2 ** 20;

const peaks = new WeakMap<GpuBackend, number>();

/** What the GPU's memory holds at this moment, in bytes. */
export interface GpuMemoryReport {
  /** Buffers of live tensors and of commands under way. */
  readonly usedBytes: number;
  /** Buffers kept for reuse by tensors of the same size. */
  readonly pooledBytes: number;
}

/** Destroys every unused buffer. Safe at any time: a buffer is free only when no recorded command needs it. */
function trim(backend: GpuBackend): number {
  const { bufferManager } = backend;
  let bytes = 0;
  for (const [key, buffers] of bufferManager.freeBuffers) {
    for (const buffer of buffers) {
      bytes += buffer.size;
      buffer.destroy();
    }
    buffers.length = 0;
    // tfjs's release looks its list up by key and takes an empty map for "disposed": both must stay true
    if ((bufferManager.usedBuffers.get(key)?.length ?? 0) === 0 && bufferManager.freeBuffers.size > 1) {
      bufferManager.freeBuffers.delete(key);
      bufferManager.usedBuffers.delete(key);
    }
  }
  bufferManager.numBytesAllocated -= bytes;
  bufferManager.numFreeBuffers = 0;
  return bytes;
}

/**
 * Called after each submit: tfjs never gives a pooled buffer back, so ever-changing sizes would fill the GPU.
 * What is allocated may reach one and a half times the most that was ever in use, plus {@link SLACK_BYTES}.
 */
export function keepPoolSmall(backend: GpuBackend): void {
  const { numBytesUsed, numBytesAllocated } = backend.bufferManager;
  const peak = Math.max(peaks.get(backend) ?? 0, numBytesUsed);
  peaks.set(backend, peak);
  if (numBytesAllocated > 1.5 * peak + SLACK_BYTES) trim(backend);
}

function webgpuBackend(operation: string): GpuBackend {
  const backend = engine().registry.webgpu;
  if (backend === undefined)
    throw new DeviceError(
      `${operation}: expected webgpu to be started, got none; call await useDevice("webgpu") first`,
    );
  return gpuBackend(backend);
}

/**
 * Gives the GPU memory back that is kept for reuse, for example between two models.
 * @returns the number of bytes given back.
 * @throws DeviceError when webgpu was never started.
 */
export function trimPool(): number {
  const backend = webgpuBackend("trimPool");
  peaks.delete(backend);
  return trim(backend);
}

/** GPU memory in use and kept for reuse. @throws DeviceError when webgpu was never started. */
export function gpuMemory(): GpuMemoryReport {
  const { numBytesUsed, numBytesAllocated } = webgpuBackend("gpuMemory").bufferManager;
  return { usedBytes: numBytesUsed, pooledBytes: numBytesAllocated - numBytesUsed };
}
