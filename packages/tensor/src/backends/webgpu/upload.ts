import { sizeOf } from "../../shape.js";
import type { GpuBackend } from "./backend.js";

const BYTES = 4;

function isPlain(memory: ArrayBufferLike & { readonly resizable?: boolean }): boolean {
  return memory instanceof ArrayBuffer && memory.resizable !== true;
}

/**
 * Gives a tensor its buffer, and the buffer the tensor's values where the host has them. tfjs made a staging buffer for
 * each upload and ended the compute pass to copy it: a scalar cost more than the op that read it, and went down with the
 * batch of commands when one of them was invalid. The queue's own write comes before all that is submitted after it;
 * a buffer from the pool is in no command that waits, since tfjs releases it after their submit.
 */
export function upload({ device, tensorMap, bufferManager }: GpuBackend, dataId: object): void {
  const data = tensorMap.get(dataId);
  if (data.resource !== null && data.resource !== undefined) return;
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const buffer = bufferManager.acquireBuffer(sizeOf(data.shape) * BYTES, usage);
  const { values } = data;
  if (values !== null && values !== undefined) {
    const List = data.dtype === "float32" ? Float32Array : Int32Array;
    const words = values instanceof List ? values : List.from(values as ArrayLike<number>);
    // memory that is shared ends the process in Node's WebGPU, and memory that can grow is refused in a page
    device.queue.writeBuffer(buffer, 0, isPlain(words.buffer) ? (words as BufferSource) : words.slice());
    data.values = null; // the GPU has them now
  }
  data.resource = buffer;
}
