import { type GpuBackend, submit } from "./backend.js";

/** A number for the kernel's uniform struct; made by {@link u32}, {@link i32} and {@link f32}. */
export interface Uniform {
  readonly type: "u32" | "i32" | "f32";
  readonly value: number;
}

/** An unsigned integer uniform. */
export const u32 = (value: number): Uniform => ({ type: "u32", value });
/** A signed integer uniform. */
export const i32 = (value: number): Uniform => ({ type: "i32", value });
/** A float uniform. */
export const f32 = (value: number): Uniform => ({ type: "f32", value });

/** Buffers that are kept; a model's step needs some hundreds. */
const MOST_BUFFERS = 4096;

/** Buffers by what they hold. Nothing writes to them again: commands under way may read them. */
const kept = new WeakMap<GPUDevice, Map<string, GPUBuffer>>();

function bufferWith(device: GPUDevice, uniforms: readonly (readonly [string, Uniform])[]): GPUBuffer {
  const buffer = device.createBuffer({
    label: "ai/uniforms",
    size: Math.ceil(uniforms.length / 4) * 16,
    usage: GPUBufferUsage.UNIFORM,
    mappedAtCreation: true,
  });
  const data = new DataView(buffer.getMappedRange());
  uniforms.forEach(([, { type, value }], index) => {
    if (type === "f32") data.setFloat32(4 * index, value, true);
    else if (type === "i32") data.setInt32(4 * index, value, true);
    else data.setUint32(4 * index, value, true);
  });
  buffer.unmap();
  return buffer;
}

/**
 * A buffer that holds these numbers, in this order. Steps of a training need the same ones again and again, and a
 * write to the GPU costs more than the rest of a small op; so they are kept, at most {@link MOST_BUFFERS}.
 */
export function uniformBuffer(
  backend: GpuBackend,
  uniforms: readonly (readonly [string, Uniform])[],
): GPUBuffer {
  const { device } = backend;
  let buffers = kept.get(device);
  if (buffers === undefined) {
    buffers = new Map();
    kept.set(device, buffers);
  }
  let key = "";
  // −0 and 0 are different floats
  for (const [, { type, value }] of uniforms) key += `${type}${Object.is(value, -0) ? "-0" : value},`;
  let buffer = buffers.get(key);
  if (buffer !== undefined) return buffer;
  if (buffers.size >= MOST_BUFFERS) {
    submit(backend); // what was recorded with them is on its way: now they may go
    for (const old of buffers.values()) old.destroy();
    buffers.clear();
  }
  buffer = bufferWith(device, uniforms);
  buffers.set(key, buffer);
  return buffer;
}
