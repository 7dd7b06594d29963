import {
  getKernel,
  type KernelBackend,
  type KernelConfig,
  type NamedAttrMap,
  registerKernel,
  type Tensor,
  type TensorInfo,
} from "@tensorflow/tfjs-core";
import { describeNoTensor } from "../arguments.js";
import type { WasmBackend } from "../backends/wasm/backend.js";
import { assertReady, type DeviceName, deviceOfBackend } from "../device.js";
import { type Engine, engine } from "../engine.js";
import { DeviceError, InputError, KernelError } from "../errors.js";
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
  // the function of the device in use
  let backendName = "";
  let run: KernelConfig["kernelFunc"];
  const multiple = (inputs: Inputs, attrs: Attributes): Tensor[] => {
    assertReady(spec.name);
    const host = engine();
    const present = localInputs(spec.name, inputs, host);
    const { state } = host;
    const recording = state.gradientDepth > 0 && state.kernelDepth === 0;
    if (recording && spec.gradient === undefined && spec.reference !== undefined)
      return [tidy(() => spec.reference!(present as Inputs, attrs))].flat();
    if (host.backendName !== backendName) {
      run = register(kernelName, spec, host.backendName);
      backendName = host.backendName;
    }
    let outputs: Tensor[];
    state.kernelDepth++;
    try {
      if (isObserved(host)) outputs = [host.runKernel(kernelName, present, attrs as NamedAttrMap)].flat();
      else {
        // what tfjs's runKernel does where nobody profiles
        const infos = run({ inputs: present, attrs: attrs as NamedAttrMap, backend: host.backend });
        outputs = Array.isArray(infos) ? infos.map((info) => toTensor(host, info)) : [toTensor(host, infos)];
      }
    } finally {
      state.kernelDepth--;
    }
    if (recording && outputs.some((output) => output.dtype === "float32"))
      recordNode(kernelName, spec, present as Inputs, outputs, attrs, multiple);
    if (observers.size > 0 && state.kernelDepth === 0)
      for (const observer of observers) observer(kernelName, outputs);
    return outputs;
  };
  const single = (inputs: Inputs, attrs: Attributes): Tensor => multiple(inputs, attrs)[0];
  return Object.assign(single, { multiple, spec });
}

/** Whether tfjs wants to see each kernel: it profiles, debugs or looks for leaks. */
function isObserved({ state, ENV }: Engine): boolean {
  return state.profiling || ENV.getBool("DEBUG") || ENV.getBool("IS_TEST");
}

function toTensor(host: Engine, info: TensorInfo): Tensor {
  return (info as Tensor).rank === undefined ? host.makeTensorFromTensorInfo(info) : (info as Tensor);
}

/** The inputs that were given. An op never moves a tensor off a GPU by itself: that read would be synchronous. */
function localInputs(operation: string, inputs: KernelInputs, host: Engine): Record<string, Tensor> {
  const { tensorInfo } = host.state;
  const { backend } = host;
  let hasAbsent = false;
  for (const name in inputs) {
    const input = inputs[name];
    if (input === undefined) {
      hasAbsent = true;
      continue;
    }
    const info = tensorInfo.get(input.dataId);
    if (info === undefined && typeof input.dataId !== "object")
      throw new InputError(`${operation}: expected a tensor for ${name}, got ${describeNoTensor(input)}`);
    if (info === undefined)
      throw new KernelError(
        `${operation}: expected a live tensor for ${name}, got a disposed one; keep it longer`,
      );
    if (info.backend === backend) continue;
    if (host.registry.webgpu === info.backend || host.registry.tensorflow === info.backend)
      throw new DeviceError(
        `${operation}: expected ${name} on the device in use (${host.backendName}), got a tensor of a GPU; await moveTo(tensor) first`,
      );
  }
  if (!hasAbsent) return inputs as Record<string, Tensor>;
  return Object.fromEntries(Object.entries(inputs).filter(([, input]) => input !== undefined)) as Record<
    string,
    Tensor
  >;
}

/** Registers an op's kernel for a backend, once. @returns its function */
function register<Inputs extends KernelInputs, Attributes extends object>(
  kernelName: string,
  spec: KernelSpec<Inputs, Attributes>,
  backendName: string,
): KernelConfig["kernelFunc"] {
  const known = getKernel(kernelName, backendName);
  if (known != null) return known.kernelFunc;
  const device = deviceOfBackend(backendName);
  const own = device === undefined ? undefined : spec.implementations?.[device];
  const fallback = fallbackKernel(spec, backendName);
  const run: KernelImplementation<Attributes> =
    own === undefined
      ? fallback
      : device === "wasm"
        ? (call) => (call.backend as WasmBackend).attempt(own, call) ?? fallback(call)
        : (call) => own(call) ?? fallback(call);
  const kernelFunc = run as unknown as KernelConfig["kernelFunc"];
  registerKernel({ kernelName, backendName, kernelFunc });
  return kernelFunc;
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
