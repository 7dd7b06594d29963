export * from "./autograd.js";
export { freeWhenCollected } from "./collected.js";
export {
  type DeviceDescription,
  type DeviceName,
  type DeviceOptions,
  describeDevice,
  moveTo,
  useDevice,
} from "./device.js";
export type { DType, TypedArray } from "./dtype.js";
export * from "./errors.js";
export { currentLayer, withinLayer } from "./layer-path.js";
export * from "./memory.js";
export * from "./ops/arithmetic.js";
export { cast } from "./ops/cast.js";
export {
  type AlongAxisOptions,
  type GatherOptions,
  gather,
  gatherNd,
  indexAdd,
  type OneHotOptions,
  oneHot,
  scatterAdd,
  scatterNd,
  takeAlongAxis,
} from "./ops/indexing.js";
export { type ReduceOptions, sum } from "./ops/reduce.js";
export { reshape } from "./ops/shape-ops.js";
export {
  type NarrowOptions,
  narrow,
  type Paddings,
  type PadMode,
  type PadOptions,
  pad,
  type StridedSliceOptions,
  slice,
  stridedSlice,
} from "./ops/slice.js";
export {
  argsort,
  type SortOptions,
  type SortResult,
  sort,
  type TopKOptions,
  topK,
} from "./ops/sort.js";
export * from "./random.js";
export type { Shape } from "./shape.js";
export * from "./tensor.js";
export { dataVersion, raiseVersion } from "./versions.js";
