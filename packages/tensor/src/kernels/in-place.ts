import type { KernelBackend, Tensor } from "@tensorflow/tfjs-core";
import { noGrad } from "../autograd.js";
import { valuesOf } from "../backends/host/values.js";
import type { WasmBackend } from "../backends/wasm/backend.js";
import { dispatch } from "../backends/webgpu/dispatch.js";
import { assertReady, type DeviceName, deviceOfBackend } from "../device.js";
import { engine } from "../engine.js";
import { DeviceError, KernelError, ShapeError } from "../errors.js";
import { keep, tidy } from "../memory.js";
import { formatShape, sameShape } from "../shape.js";
import { fromValues } from "../tensor.js";
import { raiseVersion } from "../versions.js";

/**
 * What owns a tensor that is updated in place: a parameter, or one buffer of an optimizer. The tensor is the
 * owner's alone; an update may put another tensor there and dispose the old one.
 */
export interface InPlaceTarget {
  value: Tensor;
}

/** A buffer that its first update makes. */
export interface InPlaceBuffer {
  value: Tensor | null;
}

/** What an in-place kernel works on. */
export interface InPlaceCall<Attributes> {
  /** Tensors to overwrite: one a target, all of the active backend, none sharing its data. */
  readonly targets: readonly Tensor[];
  /** Tensors to read. */
  readonly inputs: readonly Tensor[];
  readonly attrs: Attributes;
  readonly backend: KernelBackend;
}

/** An op that overwrites its targets. */
export interface InPlaceSpec<Attributes> {
  readonly name: string;
  /** The new values of the targets by plain ops: the oracle in tests, and what runs where no device code is. */
  readonly reference: (targets: readonly Tensor[], inputs: readonly Tensor[], attrs: Attributes) => Tensor[];
  /** Our own code, by device. */
  readonly implementations: Partial<Record<DeviceName, (call: InPlaceCall<Attributes>) => void>>;
}

/** A callable in-place op with the specification it was made from. */
export interface InPlaceKernel<Attributes> {
  (targets: readonly InPlaceTarget[], inputs: readonly Tensor[], attrs: Attributes): void;
  readonly spec: InPlaceSpec<Attributes>;
}

/**
 * Makes an op that overwrites the tensors of its targets, all of one shape with its inputs. Data that something
 * else still refers to (a view, a tensor saved for a backward pass) are copied first, so that only the target sees the update.
 */
export function defineInPlaceKernel<Attributes>(spec: InPlaceSpec<Attributes>): InPlaceKernel<Attributes> {
  const update = (targets: readonly InPlaceTarget[], inputs: readonly Tensor[], attrs: Attributes): void => {
    assertReady(spec.name);
    assertUpdatable(spec.name, targets, inputs);
    const host = engine();
    const device = deviceOfBackend(host.backendName);
    const implementation = device === undefined ? undefined : spec.implementations[device];
    noGrad(() => {
      if (implementation === undefined) {
        const values = tidy(() =>
          spec.reference(
            targets.map((target) => target.value),
            inputs,
            attrs,
          ),
        );
        for (const [index, target] of targets.entries()) replace(target, values[index]);
        return;
      }
      for (const target of targets)
        if (isShared(host.backend, target.value))
          replace(target, copyOf(host.backend, device!, target.value));
      const tensors = targets.map((target) => target.value);
      try {
        const call = { targets: tensors, inputs, attrs, backend: host.backend };
        if (device === "wasm") (host.backend as WasmBackend).attempt(implementation, call);
        else implementation(call);
      } finally {
        // what throws half way has overwritten a part
        for (const tensor of tensors) raiseVersion(tensor);
      }
    });
  };
  return Object.assign(update, { spec });
}

/** Puts a new tensor into a target and frees the old one. */
export function replace(target: InPlaceTarget | InPlaceBuffer, value: Tensor): void {
  const old = target.value;
  target.value = keep(value);
  old?.dispose();
}

function isShared(backend: KernelBackend, tensor: Tensor): boolean {
  return backend.refCount(tensor.dataId) > 1;
}

/** The same values under data of their own. */
function copyOf(backend: KernelBackend, device: DeviceName, tensor: Tensor): Tensor {
  if (device !== "webgpu") return fromValues(valuesOf(backend, tensor).slice(), tensor.shape, "float32");
  const [info] = dispatch(backend, {
    name: "copy",
    inputs: { source: tensor },
    outputs: { copied: { shape: tensor.shape, dtype: "float32" } },
    threads: tensor.size,
    body: () => "copied[index] = source[index];",
  });
  return engine().makeTensorFromTensorInfo(info);
}

/**
 * The values of a target on the `cpu` device, to be overwritten: a fresh copy that takes the old array's place,
 * because slices and values that were read may be views of the old one.
 */
export function overwritableValues(backend: KernelBackend, target: Tensor): Float32Array {
  const store = backend as unknown as { data: { get(dataId: object): { values: Float32Array } } };
  const record = store.data.get(target.dataId);
  record.values = record.values.slice();
  return record.values;
}

function assertUpdatable(name: string, targets: readonly InPlaceTarget[], inputs: readonly Tensor[]): void {
  const host = engine();
  const { shape } = targets[0].value;
  for (const tensor of [...targets.map((target) => target.value), ...inputs]) {
    const info = host.state.tensorInfo.get(tensor.dataId);
    if (info === undefined)
      throw new KernelError(`${name}: expected live tensors, got a disposed one; keep it longer`);
    if (tensor.dtype !== "float32" || !sameShape(tensor.shape, shape))
      throw new ShapeError(
        `${name}: expected float32 tensors of the parameter's shape ${formatShape(shape)}, got ${tensor.dtype} ${formatShape(tensor.shape)}`,
      );
    if (
      info.backend !== host.backend &&
      (host.registry.webgpu === info.backend || host.registry.tensorflow === info.backend)
    )
      throw new DeviceError(
        `${name}: expected tensors on the device in use (${host.backendName}), got one of a GPU; await moveTo(tensor) first`,
      );
  }
}
