import {
  getKernel,
  type KernelBackend,
  type NamedAttrMap,
  registerKernel,
  type Tensor,
  type TensorInfo,
} from "@tensorflow/tfjs-core";
import { assertReady, type DeviceName, deviceOfBackend } from "../device.js";
import { type Engine, engine, isRecording, unrecorded } from "../engine.js";
import { DeviceError, KernelError } from "../errors.js";
import { tidy } from "../memory.js";
import { recordNode } from "../tape.js";

/** Tensors by parameter name; a parameter that was not given is absent or undefined. */
export type KernelInputs = Record<string, Tensor | undefined>;

/** What a kernel computes from: its inputs, its plain attributes and the backend that holds the data. */
export interface KernelCall<Attributes extends object = object> {
  readonly inputs: Record<string, Tensor>;
  readonly attrs: Attributes;
  readonly backend: KernelBackend;
}

/** A device's own code for an op. `null` means "not for these shapes": the stock kernel or the reference runs. */
export type KernelImplementation<Attributes extends object = object> = (
  call: KernelCall<Attributes>,
) => TensorInfo | TensorInfo[] | null;

/** The names and attributes under which tfjs's own kernel does the work. */
export interface StockKernel<Attributes extends object> {
  readonly kernel: string;
  readonly inputs?: (inputs: Record<string, Tensor>) => Record<string, Tensor> | Tensor[];
  readonly attrs?: (attrs: Attributes, inputs: Record<string, Tensor>) => object;
}

/** What a gradient function sees. */
export interface GradientContext<Inputs extends KernelInputs, Attributes extends object> {
  /** Gradient of the loss with respect to the first output, shape of that output. */
  readonly dy: Tensor;
  /** The same for every output; zeros where an output does not matter. */
  readonly dys: readonly Tensor[];
  /** Which outputs the loss depends on: the gradients of the others are those zeros. */
  readonly given: readonly boolean[];
  /** The inputs named in `saves`. */
  readonly saved: { readonly [Name in keyof Inputs]-?: NonNullable<Inputs[Name]> };
  /** The first output (`saves` must name "output"); recomputed from the inputs where a second derivative needs it. */
  readonly output: Tensor;
  /** Every output, likewise. */
  readonly outputs: readonly Tensor[];
  /** Shapes of the inputs, saved or not. */
  readonly shapes: { readonly [Name in keyof Inputs]: number[] };
  readonly attrs: Attributes;
}

/** An op under a kernel name of our own (`ai/NAME`), so that tfjs's own names keep tfjs's behaviour. */
export interface KernelSpec<Inputs extends KernelInputs, Attributes extends object> {
  /** `Max` is registered as `ai/Max`. */
  readonly name: string;
  /** tfjs's kernel, where it is right. One of `stock` and `reference` is required. */
  readonly stock?: string | StockKernel<Attributes>;
  /** The op in terms of other ops: the oracle in tests, the fallback on every device, and the source of the gradient when `gradient` is absent. */
  readonly reference?: (inputs: Inputs, attrs: Attributes) => Tensor | Tensor[];
  /** Our own code, by device. */
  readonly implementations?: Partial<Record<DeviceName, KernelImplementation<Attributes>>>;
  /** Inputs that the gradient reads, and "output" when it reads outputs. */
  readonly saves?: readonly ((keyof Inputs & string) | "output")[];
  /** For each float32 input, a function that computes its gradient when asked; an input left out gets zeros. */
  readonly gradient?: (context: GradientContext<Inputs, Attributes>) => {
    readonly [Name in keyof Inputs]?: () => Tensor;
  };
}

/** A callable op with the specification it was made from. */
export interface Kernel<Inputs extends KernelInputs, Attributes extends object> {
  (inputs: Inputs, attrs: Attributes): Tensor;
  /** The same for an op with several outputs. */
  readonly multiple: (inputs: Inputs, attrs: Attributes) => Tensor[];
  readonly spec: KernelSpec<Inputs, Attributes>;
}

/** Called after each op while `detectAnomaly` listens. */
export type KernelObserver = (name: string, outputs: readonly Tensor[]) => void;

const observers = new Set<KernelObserver>();

/** Listens to every op until the returned function is called. */
export function observeKernels(observer: KernelObserver): () => void {
  observers.add(observer);
  return () => observers.delete(observer);
}

/**
 * Makes an op: checks devices, runs the best kernel of the active device and records the gradient.
 * The kernel is registered with tfjs on first use; defining one has no effect.
 * A gradient function must be a `function` declaration in another file or an inline arrow: module cycles stay harmless.
 */
export function defineKernel<Inputs extends KernelInputs, Attributes extends object = Record<never, never>>(
  spec: KernelSpec<Inputs, Attributes>,
): Kernel<Inputs, Attributes> {
  const kernelName = `ai/${spec.name}`;
  const registered = new Set<string>();
  const multiple = (inputs: Inputs, attrs: Attributes): Tensor[] => {
    assertReady(spec.name);
    const present: Record<string, Tensor> = {};
    for (const name in inputs) if (inputs[name] !== undefined) present[name] = inputs[name] as Tensor;
    const host = engine();
    assertLocal(spec.name, present, host);
    if (spec.gradient === undefined && spec.reference !== undefined && isRecording())
      return [tidy(() => spec.reference!(present as Inputs, attrs))].flat();
    if (!registered.has(host.backendName)) {
      register(kernelName, spec, host.backendName);
      registered.add(host.backendName);
    }
    const recording = isRecording();
    const outputs = [unrecorded(() => host.runKernel(kernelName, present, attrs as NamedAttrMap))].flat();
    if (recording && outputs.some((output) => output.dtype === "float32"))
      recordNode(kernelName, spec, present as Inputs, outputs, attrs, multiple);
    if (observers.size > 0 && host.state.kernelDepth === 0)
      for (const observer of observers) observer(kernelName, outputs);
    return outputs;
  };
  const single = (inputs: Inputs, attrs: Attributes): Tensor => multiple(inputs, attrs)[0];
  return Object.assign(single, { multiple, spec });
}

/** An op never moves a tensor off a GPU by itself: that read would be synchronous. */
function assertLocal(operation: string, inputs: Record<string, Tensor>, host: Engine): void {
  for (const name in inputs) {
    const info = host.state.tensorInfo.get(inputs[name].dataId);
    if (info === undefined)
      throw new KernelError(
        `${operation}: expected a live tensor for ${name}, got a disposed one; keep it longer`,
      );
    if (info.backend === host.backend) continue;
    if (host.registry.webgpu === info.backend || host.registry.tensorflow === info.backend)
      throw new DeviceError(
        `${operation}: expected ${name} on the device in use (${host.backendName}), got a tensor of a GPU; await moveTo(tensor) first`,
      );
  }
}

function register<Inputs extends KernelInputs, Attributes extends object>(
  kernelName: string,
  spec: KernelSpec<Inputs, Attributes>,
  backendName: string,
): void {
  if (getKernel(kernelName, backendName) != null) return;
  const device = deviceOfBackend(backendName);
  const own = device === undefined ? undefined : spec.implementations?.[device];
  const fallback = fallbackKernel(spec, backendName);
  const run: KernelImplementation<Attributes> =
    own === undefined ? fallback : (call) => own(call) ?? fallback(call);
  registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, attrs, backend }) =>
      run({
        inputs: inputs as Record<string, Tensor>,
        attrs: attrs as unknown as Attributes,
        backend: backend as KernelBackend,
      })!,
  });
}

function fallbackKernel<Inputs extends KernelInputs, Attributes extends object>(
  spec: KernelSpec<Inputs, Attributes>,
  backendName: string,
): KernelImplementation<Attributes> {
  const { stock, reference } = spec;
  if (stock !== undefined) {
    const {
      kernel,
      inputs: mapInputs,
      attrs: mapAttrs,
    } = typeof stock === "string" ? ({ kernel: stock } as StockKernel<Attributes>) : stock;
    const registered = getKernel(kernel, backendName);
    if (registered != null)
      return ({ inputs, attrs, backend }) =>
        registered.kernelFunc({
          inputs: (mapInputs === undefined ? inputs : mapInputs(inputs)) as Record<string, Tensor>,
          attrs: (mapAttrs === undefined ? attrs : mapAttrs(attrs, inputs)) as NamedAttrMap,
          backend,
        });
  }
  if (reference === undefined)
    return () => {
      throw new KernelError(
        `${spec.name}: expected a device with this kernel, got ${backendName}; use another device`,
      );
    };
  return ({ inputs, attrs }) =>
    tidy(() => {
      const result = reference(inputs as Inputs, attrs);
      const given = new Set(Object.values(inputs));
      return Array.isArray(result) ? result.map((tensor) => own(tensor, given)) : own(result, given);
    });
}

/** A reference that returns one of its inputs gives an alias of it: outputs are new tensors. */
function own(result: Tensor, inputs: Set<Tensor>): Tensor {
  return inputs.has(result) ? (engine().runKernel("Identity", { x: result }, {}) as Tensor) : result;
}
