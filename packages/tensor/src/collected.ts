import type { Tensor } from "@tensorflow/tfjs-core";
import { engine } from "./engine.js";

/** What tfjs needs to free a tensor whose object is gone. */
interface Remains {
  readonly dataId: object;
  readonly dtype: string;
  readonly size: number;
}

let registry: FinalizationRegistry<Remains> | undefined;
let held: Set<Tensor> | undefined;
let holds = 0;

/**
 * Takes the safety net away while tests count what is left: no tensor that is registered meanwhile is collected, until
 * each hold has been taken back.
 */
export function holdUncollected(isHolding: boolean): void {
  holds += isHolding ? 1 : -1;
  held = holds > 0 ? (held ?? new Set()) : undefined;
}

/**
 * Frees a tensor's memory when its object has been garbage-collected undisposed: a safety net for tensors that
 * live as long as the object that holds them. The GPU and WebAssembly heaps do not see the collector otherwise.
 * @param tensor `[...]` any shape and dtype.
 * @returns a function that takes the net away; call it right before disposing the tensor yourself.
 */
export function freeWhenCollected(tensor: Tensor): () => void {
  registry ??= new FinalizationRegistry((remains) => {
    const host = engine() as unknown as { disposeTensor(tensor: Remains): void };
    host.disposeTensor(remains);
  });
  const token = {};
  registry.register(tensor, { dataId: tensor.dataId, dtype: tensor.dtype, size: tensor.size }, token);
  const release = unregistering(registry, token);
  return held === undefined ? release : holding(held, tensor, release);
}

// functions of their own: a closure that shares a scope with the tensor would keep it alive

function unregistering(current: FinalizationRegistry<Remains>, token: object): () => void {
  return () => {
    current.unregister(token);
  };
}

function holding(tensors: Set<Tensor>, tensor: Tensor, release: () => void): () => void {
  tensors.add(tensor);
  return () => {
    tensors.delete(tensor);
    release();
  };
}
