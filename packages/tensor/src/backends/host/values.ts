import type { KernelBackend, Tensor, TensorInfo } from "@tensorflow/tfjs-core";
import type { DType, TypedArray } from "../../dtype.js";
import { engine } from "../../engine.js";

/** What tfjs's backends keep for each tensor; `values` is there when the host has them. */
interface DataStore {
  get(dataId: object): { values?: TypedArray | null } | undefined;
  has(dataId: object): boolean;
}

type StoringBackend = KernelBackend & { readonly data?: DataStore; readonly tensorMap?: DataStore };

/**
 * The values of a tensor when the host has them already: always on `cpu` and `wasm`; on a GPU only for tensors
 * that were made from host values or read before. Never reads from a GPU.
 * @param tensor `[...]` of any dtype.
 * @returns a view that must not be changed, or undefined.
 */
export function hostValues(tensor: Tensor): TypedArray | undefined {
  const backend = engine().state.tensorInfo.get(tensor.dataId)?.backend as StoringBackend | undefined;
  const store = backend?.data ?? backend?.tensorMap;
  if (store === undefined || !store.has(tensor.dataId)) return undefined;
  const values = store.get(tensor.dataId)?.values;
  return values != null && values.length === tensor.size ? values : undefined;
}

/** The values of a kernel's input on a backend whose data lie on the host (`cpu`, `wasm`): a view, not to be changed. */
export function valuesOf<Values extends TypedArray = TypedArray>(
  backend: KernelBackend,
  input: TensorInfo,
): Values {
  return (backend as StoringBackend).data!.get(input.dataId)!.values as Values;
}

/** A kernel's result on such a backend; takes `values` over. */
export function hostResult(
  backend: KernelBackend,
  shape: readonly number[],
  dtype: DType | string,
  values: TypedArray,
): TensorInfo {
  const maker = backend as unknown as {
    makeTensorInfo(shape: number[], dtype: string, values: TypedArray): TensorInfo;
  };
  return maker.makeTensorInfo([...shape], dtype, values);
}
