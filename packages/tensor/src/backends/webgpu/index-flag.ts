import { KernelError } from "../../errors.js";
import { type GpuBackend, submit } from "./backend.js";

/** Words of the flag: the op's number (0 for "no error"), the index as i32, the size that it must stay below. */
const FLAG_BYTES = 16;

interface IndexFlag {
  readonly buffer: GPUBuffer;
  /** A kernel that may raise the flag was dispatched since the last look. */
  armed: boolean;
}

const flags = new WeakMap<GPUDevice, IndexFlag>();
const operations: string[] = [];

/** The number by which a kernel names its op in the flag; 0 means "no error". */
export function operationNumber(operation: string): number {
  const known = operations.indexOf(operation);
  return known >= 0 ? known + 1 : operations.push(operation);
}

/**
 * WGSL for kernels that take indices (dispatch option `checksIndices`):
 * `validIndex(index, size)` is whether `0 ≤ index < size`, and raises the flag when not;
 * `checkedIndex(index, size)` raises it likewise and gives an index that is safe to read with.
 */
export const INDEX_FLAG_WGSL = `
fn validIndex(index: i32, size: i32) -> bool {
  if (index >= 0 && index < size) { return true; }
  atomicMax(&indexFlag[0], uniforms.operation);
  atomicStore(&indexFlag[1], bitcast<u32>(index));
  atomicStore(&indexFlag[2], bitcast<u32>(size));
  return false;
}
fn checkedIndex(index: i32, size: i32) -> i32 {
  if (validIndex(index, size)) { return index; }
  return clamp(index, 0, max(size - 1, 0));
}
`;

/** The device's flag, to bind into a kernel; from now on the next read looks at it. */
export function armIndexFlag(device: GPUDevice): GPUBuffer {
  let flag = flags.get(device);
  if (flag === undefined) {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    flag = { buffer: device.createBuffer({ label: "ai/indexFlag", size: FLAG_BYTES, usage }), armed: false };
    flags.set(device, flag);
  }
  flag.armed = true;
  return flag.buffer;
}

/** Reads and lowers the flag, in order with the commands recorded so far. @returns the error that it stands for. */
export async function requestIndexFlag(backend: GpuBackend): Promise<KernelError | undefined> {
  const flag = flags.get(backend.device);
  if (flag === undefined || !flag.armed) return undefined;
  flag.armed = false;
  const staging = backend.device.createBuffer({
    size: FLAG_BYTES,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.commandEncoder!.copyBufferToBuffer(flag.buffer, 0, staging, 0, FLAG_BYTES);
  backend.commandEncoder!.clearBuffer(flag.buffer);
  submit(backend);
  try {
    await staging.mapAsync(GPUMapMode.READ);
    const [operation, index, size] = new Int32Array(staging.getMappedRange());
    if (operation === 0) return undefined;
    return new KernelError(
      `${operations[operation - 1]}: expected indices in [0, ${size}), got ${index}; check the indices or the table's size`,
    );
  } finally {
    staging.destroy();
  }
}

/** Forgets the flag of a device that is lost. */
export function discardIndexFlag(device: GPUDevice): void {
  flags.delete(device);
}
