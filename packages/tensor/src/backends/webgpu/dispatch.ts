import { type DataType, env, type KernelBackend, type TensorInfo } from "@tensorflow/tfjs-core";
import type { DType } from "../../dtype.js";
import { DeviceError, KernelError } from "../../errors.js";
import { type Shape, sizeOf } from "../../shape.js";
import { type GpuBackend, gpuBackend, submit } from "./backend.js";
import { bindGroupOf } from "./bind-groups.js";
import { assertAlive, isDebuggingGpuErrors, withErrorScope } from "./errors.js";
import { armIndexFlag, INDEX_FLAG_WGSL, operationNumber } from "./index-flag.js";
import { limitsOf } from "./limits.js";
import { type Uniform, u32, uniformBuffer } from "./uniforms.js";

export { f32, i32, type Uniform, u32 } from "./uniforms.js";

/** A tensor seen under another element type of WGSL, for example `u32` or `vec4<f32>`. */
export interface TypedView {
  readonly tensor: TensorInfo;
  readonly element: string;
}

/** An output to make. */
export interface OutputSpec {
  readonly shape: Shape;
  readonly dtype: DType;
  /** WGSL element type; by default `f32` for float32 and `i32` for int32 and bool. */
  readonly element?: string;
}

/**
 * One compute dispatch. Names in `inputs`, `inPlace` and `outputs` become `array<…>` variables of the kernel, those in
 * `uniforms` become `uniforms.NAME`. At most 8 tensors work on every GPU (10 with `checksIndices` may not).
 */
export interface GpuDispatch {
  /** The op's name, as errors tell it. */
  readonly name: string;
  /** All that the WGSL depends on besides names, types and workgroup size: kernels are cached by it. */
  readonly variant?: string;
  /** Tensors that are read. */
  readonly inputs?: Readonly<Record<string, TensorInfo | TypedView>>;
  /** Tensors that are read and written; the caller raises their version (see versions.ts). */
  readonly inPlace?: Readonly<Record<string, TensorInfo | TypedView>>;
  /** Tensors that are made. */
  readonly outputs?: Readonly<Record<string, OutputSpec>>;
  readonly uniforms?: Readonly<Record<string, Uniform>>;
  /** Threads of a workgroup. Default 64, the most that is fast on every device. */
  readonly workgroupSize?: number;
  /** How many independent threads: the kernel sees `index` (u32), already below this number. Give this or `groups`. */
  readonly threads?: number;
  /** How many workgroups that work together: the kernel sees `group` and `lane` (u32); barriers are allowed. */
  readonly groups?: number;
  /** The kernel takes indices from a tensor: `validIndex` and `checkedIndex` are there (index-flag.ts). */
  readonly checksIndices?: boolean;
  /** WGSL extensions to enable, `subgroups` (adds `subgroupSize`, `subgroupLane`) or `f16`; the device must have them. */
  readonly enable?: readonly ("subgroups" | "f16")[];
  /** WGSL outside of `main`: functions, `var<workgroup>` and constants. */
  readonly declarations?: () => string;
  /** WGSL inside `main`. */
  readonly body: () => string;
}

interface Binding {
  readonly name: string;
  readonly access: "read" | "read_write";
  readonly element: string;
  readonly info: TensorInfo;
}

const DEFAULT_WORKGROUP_SIZE = 64;

interface CachedPipeline {
  readonly pipeline: GPUComputePipeline;
  /** Of group 0, the only one. */
  readonly layout: GPUBindGroupLayout;
  readonly code: string;
}

const pipelines = new WeakMap<GPUDevice, Map<string, CachedPipeline>>();
const placeholders = new WeakMap<GPUDevice, GPUBuffer>();

function elementOf(dtype: DataType): string {
  return dtype === "float32" ? "f32" : "i32";
}

function bindingOf(name: string, argument: TensorInfo | TypedView, access: Binding["access"]): Binding {
  if ("tensor" in argument) return { name, access, element: argument.element, info: argument.tensor };
  return { name, access, element: elementOf(argument.dtype), info: argument };
}

function shaderCode(
  spec: GpuDispatch,
  bindings: readonly Binding[],
  uniforms: readonly (readonly [string, Uniform])[],
): string {
  const { workgroupSize = DEFAULT_WORKGROUP_SIZE, enable = [], checksIndices = false } = spec;
  const subgroups = enable.includes("subgroups");
  const variables = bindings.map(
    ({ name, access, element }, index) =>
      `@group(0) @binding(${index}) var<storage, ${access}> ${name}: array<${element}>;`,
  );
  let next = bindings.length;
  if (checksIndices)
    variables.push(
      `@group(0) @binding(${next++}) var<storage, read_write> indexFlag: array<atomic<u32>, 4>;`,
    );
  return `${enable.map((name) => `enable ${name};\n`).join("")}
struct Uniforms { ${uniforms.map(([name, { type }]) => `${name}: ${type},`).join(" ")} }
${variables.join("\n")}
@group(0) @binding(${next}) var<uniform> uniforms: Uniforms;
${checksIndices ? INDEX_FLAG_WGSL : ""}${spec.declarations?.() ?? ""}
@compute @workgroup_size(${workgroupSize})
fn main(@builtin(workgroup_id) workgroupId: vec3<u32>, @builtin(num_workgroups) workgroupCounts: vec3<u32>,
  @builtin(local_invocation_index) lane: u32${
    subgroups
      ? ", @builtin(subgroup_size) subgroupSize: u32, @builtin(subgroup_invocation_id) subgroupLane: u32"
      : ""
  }) {
  let group = workgroupId.y * workgroupCounts.x + workgroupId.x;
${
  spec.groups === undefined
    ? `  let index = group * ${workgroupSize}u + lane;\n  if (index >= uniforms.count) { return; }`
    : "  if (group >= uniforms.count) { return; }"
}
${spec.body()}
}
`;
}

function pipelineOf(
  device: GPUDevice,
  spec: GpuDispatch,
  bindings: readonly Binding[],
  uniforms: readonly (readonly [string, Uniform])[],
): CachedPipeline {
  let cache = pipelines.get(device);
  if (cache === undefined) {
    cache = new Map();
    pipelines.set(device, cache);
  }
  const key = [
    spec.name,
    spec.variant ?? "",
    bindings.map(({ name, access, element }) => `${name}:${element}:${access}`).join(),
    uniforms.map(([name, { type }]) => `${name}:${type}`).join(),
    `${spec.workgroupSize ?? DEFAULT_WORKGROUP_SIZE}${spec.groups === undefined ? "threads" : "groups"}${spec.checksIndices ?? false}`,
    (spec.enable ?? []).join(),
  ].join("|");
  const cached = cache.get(key);
  if (cached !== undefined) {
    if (isDebuggingGpuErrors() && cached.code !== shaderCode(spec, bindings, uniforms))
      throw new KernelError(
        `${spec.name}: expected one WGSL text a variant, got two for ${key}; put what it depends on into variant`,
      );
    return cached;
  }
  for (const extension of spec.enable ?? []) {
    const feature = extension === "f16" ? "shader-f16" : extension;
    if (!device.features.has(feature))
      throw new DeviceError(
        `${spec.name}: expected a GPU with ${feature}, got one without; look at device.features before choosing this kernel`,
      );
  }
  const code = shaderCode(spec, bindings, uniforms);
  const label = `ai/${spec.name}`;
  const made = withErrorScope(device, spec.name, () => {
    const module = device.createShaderModule({ label, code });
    const pipeline = device.createComputePipeline({
      label,
      layout: "auto",
      compute: { module, entryPoint: "main" },
    });
    return { pipeline, layout: pipeline.getBindGroupLayout(0), code };
  });
  cache.set(key, made);
  return made;
}

/** A buffer to bind where a tensor has no elements: WebGPU has no empty bindings. */
function placeholder(device: GPUDevice): GPUBuffer {
  let buffer = placeholders.get(device);
  if (buffer === undefined) {
    buffer = device.createBuffer({ label: "ai/placeholder", size: 16, usage: GPUBufferUsage.STORAGE });
    placeholders.set(device, buffer);
  }
  return buffer;
}

function storageBuffer(backend: GpuBackend, { info, access, name }: Binding, operation: string): GPUBuffer {
  if (sizeOf(info.shape) === 0) {
    if (access === "read") return placeholder(backend.device);
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    const scratch = backend.bufferManager.acquireBuffer(16, usage); // two writable bindings must not share one
    backend.uniformPendingDisposal.push(scratch);
    return scratch;
  }
  const bytes = sizeOf(info.shape) * 4;
  const most = limitsOf(backend.device).maxTensorBytes;
  if (bytes > most)
    throw new DeviceError(
      `${operation}: expected tensors of at most ${most} bytes on this GPU, got ${bytes} for ${name}; use smaller batches`,
    );
  backend.uploadToGPU(info.dataId);
  return backend.tensorMap.get(info.dataId).resource!;
}

/** Two bindings of one buffer, one of them written, are an error in WebGPU: say it in our words. */
function assertNoAlias(operation: string, bindings: readonly Binding[]): void {
  for (const written of bindings) {
    if (written.access === "read") continue;
    for (const other of bindings)
      if (other !== written && other.info.dataId === written.info.dataId)
        throw new KernelError(
          `${operation}: expected ${written.name} and ${other.name} to be different data, got the same; copy one of them`,
        );
  }
}

/**
 * Runs WGSL on tfjs's WebGPU backend, in order with tfjs's own kernels and with its pool of buffers.
 * @returns the outputs, in the order in which they were named.
 * @throws DeviceError when the device is lost, lacks an extension or cannot hold a tensor.
 * @throws KernelError when tensors alias, or the GPU binds fewer tensors than the kernel has.
 * @example
 * const [y] = dispatch(backend, {
 *   name: "double", inputs: { x }, outputs: { y: { shape: x.shape, dtype: "float32" } },
 *   threads: x.size, body: () => "y[index] = 2.0 * x[index];",
 * });
 */
export function dispatch(kernelBackend: KernelBackend, spec: GpuDispatch): TensorInfo[] {
  const backend = gpuBackend(kernelBackend);
  const { device } = backend;
  assertAlive(device);
  const { name, inputs = {}, inPlace = {}, outputs = {}, checksIndices = false } = spec;
  const results: TensorInfo[] = [];
  const bindings: Binding[] = [];
  for (const key in inputs) bindings.push(bindingOf(key, inputs[key], "read"));
  for (const key in inPlace) bindings.push(bindingOf(key, inPlace[key], "read_write"));
  assertNoAlias(name, bindings);
  for (const key in outputs) {
    const { shape, dtype, element = elementOf(dtype) } = outputs[key];
    const empty =
      sizeOf(shape) === 0
        ? dtype === "float32"
          ? new Float32Array(0)
          : dtype === "int32"
            ? new Int32Array(0)
            : new Uint8Array(0)
        : undefined;
    const info = backend.makeTensorInfo([...shape], dtype, empty);
    results.push(info);
    bindings.push({ name: key, access: "read_write", element, info });
  }
  const storageBuffers = bindings.length + (checksIndices ? 1 : 0);
  const limits = limitsOf(device);
  if (storageBuffers > limits.maxStorageBuffersPerShaderStage)
    throw new KernelError(
      `${name}: expected at most ${limits.maxStorageBuffersPerShaderStage} tensors in one kernel on this GPU, got ${storageBuffers}; split the kernel`,
    );
  const { workgroupSize = DEFAULT_WORKGROUP_SIZE } = spec;
  const count = spec.groups ?? spec.threads;
  if (count === undefined)
    throw new KernelError(`${name}: expected threads or groups, got neither; say how much work there is`);
  const groups = spec.groups ?? Math.ceil(count / workgroupSize);
  const writes = bindings.filter(({ access }) => access === "read_write");
  if (groups === 0 || writes.every(({ info }) => sizeOf(info.shape) === 0)) return results;

  const uniforms: (readonly [string, Uniform])[] = [["count", u32(count)]];
  if (checksIndices) uniforms.push(["operation", u32(operationNumber(name))]);
  uniforms.push(...Object.entries(spec.uniforms ?? {}));
  const { pipeline, layout } = pipelineOf(device, spec, bindings, uniforms);
  const numbers = uniformBuffer(backend, uniforms); // first: it may submit, which gives scratch buffers back
  const buffers = bindings.map((binding) => storageBuffer(backend, binding, name));
  if (checksIndices) buffers.push(armIndexFlag(device));
  buffers.push(numbers);
  for (const key in inPlace)
    backend.tensorMap.get(bindingOf(key, inPlace[key], "read_write").info.dataId).values = null; // stale host copy

  const encode = (): void => {
    const bindGroup = bindGroupOf(device, layout, buffers, `ai/${name}`);
    backend.ensureCommandEncoderReady();
    backend.computePassEncoder ??= backend.commandEncoder!.beginComputePass();
    const most = limits.maxComputeWorkgroupsPerDimension;
    backend.computePassEncoder.setPipeline(pipeline);
    backend.computePassEncoder.setBindGroup(0, bindGroup);
    backend.computePassEncoder.dispatchWorkgroups(Math.min(groups, most), Math.ceil(groups / most));
    for (const { info } of bindings) backend.commandQueueOwnedIds.add(info.dataId); // kept until the submit
    backend.dispatchCountInPass++;
    if (
      isDebuggingGpuErrors() ||
      backend.dispatchCountInPass >= env().getNumber("WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE")
    )
      submit(backend);
  };
  if (isDebuggingGpuErrors()) {
    submit(backend);
    withErrorScope(device, name, encode);
  } else encode();
  return results;
}
