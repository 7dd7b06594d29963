import { dispose, InputError, keep, type Shape, stopGradient, type Tensor } from "@ai/tensor";
import { type AnyModule, Module } from "../module.js";
import { heldParameters, sizeOfParameters } from "../module-fields.js";
import type { Parameter } from "../parameter.js";
import { formatColumns } from "../structure/format-columns.js";
import { tensorsIn } from "../summary.js";
import { isTensor } from "./data/host-tensor.js";
import { rememberModes } from "./modes.js";
import { assertOptionNames } from "./option-names.js";
import { idleTime, measureCall } from "./profile-timing.js";

/** Options of {@link profile}. */
export interface ProfileOptions {
  /** Measurements of each layer, of which the fastest counts. Default 5. */
  readonly repeats?: number;
  /** Time the gradients of parameters and float inputs too. Default true. */
  readonly backward?: boolean;
  readonly signal?: AbortSignal;
  /** Called after each call of a layer that was timed. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** What one layer costs. */
export interface ProfileRow {
  /** Path of the layer; `""` for the model itself. */
  readonly path: string;
  /** Class of the layer. */
  readonly layer: string;
  /** Calls in one pass of the model; the other numbers are of all of them. */
  readonly calls: number;
  /** Submodules included; absent for a layer that cannot be called again by itself. */
  readonly forwardMilliseconds?: number;
  /** Gradients of parameters and inputs, submodules included and the forward pass not; absent where there are none. */
  readonly backwardMilliseconds?: number;
  /** Share of all layers' time that is the layer's own, without its submodules', in percent. */
  readonly percent: number;
  /** Without its submodules'. */
  readonly multiplyAdds: number;
  /** Of its own parameters as they are stored: frozen ones and those of few bits too, shared ones at the first layer. */
  readonly parameterBytes: number;
  /** Of the tensors that it returned. */
  readonly outputBytes: number;
}

/** What {@link profile} measured; `String(profile)` is a table. */
export interface ModelProfile {
  /** In the order in which layers were first called, each before its submodules. */
  readonly rows: readonly ProfileRow[];
  /** Of one pass of the whole model. */
  readonly forwardMilliseconds: number;
  /** 0 when it was not measured. */
  readonly backwardMilliseconds: number;
  readonly multiplyAdds: number;
  toString(): string;
}

/** One call of a layer, with inputs to repeat it. */
export interface LayerCall {
  readonly path: string;
  readonly module: AnyModule;
  readonly inputs: readonly unknown[];
  /** Calls from within it. */
  readonly children: LayerCall[];
  /** Shape of the output where it is one float tensor. */
  outputShape: Shape | undefined;
  outputBytes: number;
  multiplyAdds: number;
  forward?: number;
  backward?: number;
}

/**
 * Times each layer: hooks note the inputs of every call in one pass, then each call is repeated by itself, forward and
 * backward, until the device is done. The model is in evaluation mode, in which nothing of it changes; its modes are as
 * before afterwards.
 * @param inputs `[...]`, or the list of what `model.call` takes; tensors stay the caller's.
 * @returns times, multiply-adds and bytes of each layer.
 * @throws the reason of `signal` once aborted; what the model throws; InputError for what is no module.
 * @example
 * console.log(String(await profile(model, images)));
 */
export async function profile<Inputs extends readonly unknown[], Output>(
  model: Module<Inputs, Output>,
  inputs: Tensor | Inputs,
  options: ProfileOptions = {},
): Promise<ModelProfile> {
  const list = isTensor(inputs) ? [inputs] : inputs;
  assertArguments(model, list, options);
  const { repeats = 5, backward = true, signal, onProgress } = options;
  signal?.throwIfAborted();
  const root = model as unknown as AnyModule;
  const inEvaluation = <Result>(work: () => Result): Result => {
    const restoreModes = rememberModes(root);
    try {
      root.eval();
      return work();
    } finally {
      restoreModes();
    }
  };
  const calls = inEvaluation(() => record(root, list));
  try {
    const idle = await idleTime(repeats);
    for (const [index, call] of calls.entries()) {
      await measureCall(call, { repeats, backward, idle, signal, inEvaluation });
      onProgress?.({ done: index + 1, total: calls.length });
    }
  } finally {
    forget(calls);
  }
  return summed(calls);
}

/** One pass; notes all calls, each before those from within it. */
function record(model: AnyModule, inputs: readonly unknown[]): LayerCall[] {
  const calls: LayerCall[] = [];
  const open: LayerCall[] = [];
  const removers = model.namedModules().flatMap(([path, module]) => [
    module.registerForwardPreHook((_, given) => {
      const call: LayerCall = {
        path,
        module,
        inputs: given.map(kept),
        children: [],
        outputShape: undefined,
        outputBytes: 0,
        multiplyAdds: 0,
      };
      open.at(-1)?.children.push(call);
      open.push(call);
      calls.push(call);
      return undefined;
    }),
    module.registerForwardHook((_, given, output) => {
      const call = open.pop()!;
      const tensors = tensorsIn(output);
      if (tensors.length === 1 && tensors[0].dtype === "float32") call.outputShape = tensors[0].shape;
      call.outputBytes = tensors.reduce((total, tensor) => total + bytesOf(tensor), 0);
      call.multiplyAdds = module.multiplyAdds(given, output);
      return undefined;
    }),
  ]);
  try {
    dispose(tensorsIn(model.call(...inputs)));
    return calls;
  } catch (error) {
    forget(calls);
    throw error;
  } finally {
    for (const remove of removers) remove();
  }
}

/** The same structure with tensors of our own on the same data. */
function kept(value: unknown): unknown {
  if (isTensor(value)) return keep(stopGradient(value));
  if (Array.isArray(value)) return value.map(kept);
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, kept(part)]));
}

function forget(calls: readonly LayerCall[]): void {
  dispose(calls.flatMap(({ inputs }) => inputs.flatMap(tensorsIn)));
}

function bytesOf({ size, dtype }: { readonly size: number; readonly dtype: string }): number {
  return dtype === "bool" ? size : 4 * size;
}

/** Adds up the calls of each layer. */
function summed(calls: readonly LayerCall[]): ModelProfile {
  const own = (call: LayerCall): number =>
    Math.max(0, timeOf(call) - call.children.reduce((total, child) => total + timeOf(child), 0));
  const whole = calls.reduce((total, call) => total + own(call), 0);
  const counted = new Set<Parameter>();
  const byPath = new Map<string, LayerCall[]>();
  for (const call of calls) byPath.set(call.path, [...(byPath.get(call.path) ?? []), call]);
  const rows = [...byPath].map(([path, group]): ProfileRow => {
    const [{ module }] = group;
    const parameters = heldParameters(module).filter((parameter) => !counted.has(parameter));
    for (const parameter of parameters) counted.add(parameter);
    const { parameterBytes } = sizeOfParameters([...new Set(parameters)]);
    const forward = total(group.map((call) => call.forward));
    const backward = total(group.map((call) => call.backward));
    return {
      path,
      layer: module.constructor.name,
      calls: group.length,
      ...(forward === undefined ? {} : { forwardMilliseconds: forward }),
      ...(backward === undefined ? {} : { backwardMilliseconds: backward }),
      percent: whole === 0 ? 0 : (100 * group.reduce((sum, call) => sum + own(call), 0)) / whole,
      multiplyAdds: group.reduce((sum, call) => sum + call.multiplyAdds, 0),
      parameterBytes,
      outputBytes: group.reduce((sum, call) => sum + call.outputBytes, 0),
    };
  });
  const result = {
    rows,
    forwardMilliseconds: calls[0].forward ?? 0,
    backwardMilliseconds: calls[0].backward ?? 0,
    multiplyAdds: rows.reduce((sum, row) => sum + row.multiplyAdds, 0),
  };
  return { ...result, toString: () => formatProfile(result) };
}

function timeOf({ forward = 0, backward = 0 }: LayerCall): number {
  return forward + backward;
}

/** The sum of what is known; undefined when a part is not. */
function total(times: readonly (number | undefined)[]): number | undefined {
  return times.reduce<number | undefined>(
    (sum, time) => (sum === undefined || time === undefined ? undefined : sum + time),
    0,
  );
}

function formatProfile({
  rows,
  forwardMilliseconds,
  backwardMilliseconds,
  multiplyAdds,
}: Omit<ModelProfile, "toString">): string {
  const number = (value: number): string => value.toLocaleString("en-US");
  const time = (value: number | undefined): string => (value === undefined ? "–" : value.toFixed(3));
  const table = formatColumns([
    [
      "layer",
      "calls",
      "forward ms",
      "backward ms",
      "own %",
      "multiply-adds",
      "parameter bytes",
      "output bytes",
    ],
    ...rows.map((row) => [
      `${"  ".repeat(row.path === "" ? 0 : row.path.split(".").length)}${row.path === "" ? "" : `${row.path.split(".").at(-1)}: `}${row.layer}`,
      number(row.calls),
      time(row.forwardMilliseconds),
      time(row.backwardMilliseconds),
      row.percent.toFixed(1),
      number(row.multiplyAdds),
      number(row.parameterBytes),
      number(row.outputBytes),
    ]),
  ]);
  return `${table}\nforward ${time(forwardMilliseconds)} ms, backward ${time(backwardMilliseconds)} ms, ${number(multiplyAdds)} multiply-adds`;
}

function assertArguments(model: unknown, inputs: unknown, options: ProfileOptions): void {
  assertOptionNames("profile", options, ["repeats", "backward?", "signal", "onProgress"]);
  if (!(model instanceof Module))
    throw new InputError(`profile: expected a module, got ${model === null ? "null" : typeof model}`);
  if (!Array.isArray(inputs))
    throw new InputError(
      `profile: expected a tensor or the list of what call takes, got ${inputs === null ? "null" : typeof inputs}`,
    );
  const { repeats = 5 } = options;
  if (!Number.isInteger(repeats) || repeats < 1)
    throw new InputError(`profile: expected an integer of repeats of at least 1, got ${repeats}`);
}
