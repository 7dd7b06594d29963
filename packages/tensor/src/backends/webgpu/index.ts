/** What kernels for WebGPU are written with; see docs/contributing/webgpu-kernels.md. */

export {
  dispatch,
  f32,
  type GpuDispatch,
  i32,
  type OutputSpec,
  type TypedView,
  type Uniform,
  u32,
} from "./dispatch.js";
export { debugGpuErrors, takeUncapturedErrors } from "./errors.js";
export { type GpuMemoryReport, gpuMemory, trimPool } from "./pool.js";
