import type { StateDict, StateEntry } from "@ai/layers";
import { type Shape, type Tensor, tensor } from "@ai/tensor";

const sizeOf = (shape: Shape): number => shape.reduce((product, length) => product * length, 1);

/** FNV-1a of a text, 32 bits. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** Numbers in [0, 1) of a name, as tooling/fixtures/vision/common.py has them: FNV-1a, then murmur3's finalizer of a counter. */
function uniform(name: string, count: number): Float64Array {
  const seed = hashText(name);
  return Float64Array.from({ length: count }, (_, index) => {
    let x = (seed + Math.imul(index, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    return ((x ^ (x >>> 16)) >>> 8) / 2 ** 24;
  });
}

/** Uniform numbers in [low, high) that belong to a name. */
export function ruledValues(name: string, shape: Shape, low = -1, high = 1): Float32Array {
  return Float32Array.from(uniform(name, sizeOf(shape)), (value) => value * (high - low) + low);
}

/** {@link ruledValues} as a tensor. */
export function ruledTensor(name: string, shape: Shape, low = -1, high = 1): Tensor {
  return tensor(ruledValues(name, shape, low, high), shape);
}

/** An image batch `[batch, height, width, channels]` as the generators make it. */
export function ruledImages(name: string, shape: Shape): Tensor {
  return ruledTensor(name, shape, -1.7, 1.7);
}

/** The state dict that the generators fill a model of these names and shapes with. */
export function ruledState(like: StateDict): StateDict {
  const state = new Map<string, StateEntry>();
  for (const [name, { shape, dtype, values }] of like) {
    if (values instanceof BigInt64Array) {
      state.set(name, { shape, dtype: "int64", values: values.map(() => 3n) } as StateEntry);
      continue;
    }
    if (dtype !== "float32")
      throw new Error(`ruledState: expected float32 and int64, got ${dtype} of ${name}`);
    const positive = name.endsWith("running_var") || (shape.length === 1 && name.endsWith("weight"));
    const bound = Math.sqrt(3 / sizeOf(shape.slice(1)));
    const [low, high] = positive ? [0.5, 1.5] : shape.length <= 1 ? [-0.5, 0.5] : [-bound, bound];
    state.set(name, { shape, dtype, values: ruledValues(name, shape, low, high) });
  }
  return state;
}
