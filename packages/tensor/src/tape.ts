import type { Tensor } from "@tensorflow/tfjs-core";
import { type Engine, engine, isRecording } from "./engine.js";
import { InputError, KernelError } from "./errors.js";
import type { GradientContext, KernelInputs, KernelSpec } from "./kernels/define-kernel.js";
import { add } from "./ops/arithmetic.js";
import { formatShape, sameShape } from "./shape.js";
import { zeros } from "./tensor.js";
import { dataVersion } from "./versions.js";

/** One recorded op, in the form that tfjs's own tape has, so that `tf.grads` over our ops works too. */
interface TapeNode {
  readonly id: number;
  readonly kernelName: string;
  readonly inputs: Record<string, Tensor>;
  readonly outputs: readonly Tensor[];
  readonly saved: Tensor[];
  /** tfjs calls it with one argument and frees what each function made: then every gradient is computed at once. */
  readonly gradient?: (dys: (Tensor | null)[], lazy?: boolean) => Record<string, () => Tensor>;
}

type TapeEngine = Omit<Engine, "state"> & {
  state: Omit<Engine["state"], "activeTape"> & { activeTape: TapeNode[] | null; nextTapeNodeId: number };
};

/** Wraps each recorded gradient function; `detectAnomaly` names the layer of a failing backward step with it. */
export type GradientWrapper = (kernelName: string, compute: () => Tensor) => Tensor;
let gradientWrapper: (() => GradientWrapper) | undefined;

/** Sets what is called at each recording to make a wrapper for that op's gradient; undefined stops it. */
export function wrapGradients(factory: (() => GradientWrapper) | undefined): void {
  gradientWrapper = factory;
}

/** A second reference to the same data, safe from the caller's `dispose`; constant to every gradient. */
function alias(host: Pick<Engine, "backend" | "makeTensorFromTensorInfo">, tensor: Tensor): Tensor {
  // what tfjs's Identity does, without the way to it: there are several for each op of a forward pass
  host.backend.incRef(tensor.dataId);
  return host.makeTensorFromTensorInfo({ dataId: tensor.dataId, shape: tensor.shape, dtype: tensor.dtype });
}

/** The same, recorded where a gradient is being recorded, so that derivatives flow through it. */
function connectedAlias(host: TapeEngine, tensor: Tensor): Tensor {
  const copy = alias(host, tensor);
  if (isRecording())
    host.state.activeTape!.push({
      id: host.state.nextTapeNodeId++,
      kernelName: "ai/Identity",
      inputs: { x: tensor },
      outputs: [copy],
      saved: [],
      gradient: ([dy]) => ({ x: () => connectedAlias(host, dy ?? zeros(tensor.shape)) }),
    });
  return copy;
}

/** Puts an op on the tape. At depth 1 outputs are saved as they are; deeper, they are recomputed from saved inputs. */
export function recordNode<Inputs extends KernelInputs, Attributes extends object>(
  kernelName: string,
  spec: KernelSpec<Inputs, Attributes>,
  inputs: Inputs,
  outputs: Tensor[],
  attrs: Attributes,
  recompute: (inputs: Inputs, attrs: Attributes) => Tensor[],
): void {
  const host = engine() as unknown as TapeEngine;
  const differentiable: Record<string, Tensor> = {};
  for (const name in inputs) if (inputs[name]!.dtype === "float32") differentiable[name] = inputs[name]!;
  if (Object.keys(differentiable).length === 0) return;

  const { gradient, saves = [] } = spec;
  const nested = host.state.gradientDepth > 1;
  const needsOutput = saves.includes("output");
  const savedNames = nested && needsOutput ? Object.keys(inputs) : saves.filter((name) => name in inputs);
  const saved: Tensor[] = [];
  const savedInputs: Record<string, Tensor> = {};
  const versions: (number | undefined)[] = [];
  const shapes: Record<string, number[]> = {};
  for (const name in inputs) shapes[name] = inputs[name]!.shape;
  if (gradient !== undefined)
    for (const name of savedNames) {
      versions.push(dataVersion(inputs[name]!));
      savedInputs[name] = host.keep(
        nested ? connectedAlias(host, inputs[name]!) : alias(host, inputs[name]!),
      );
      saved.push(savedInputs[name]);
    }
  let savedOutputs: Tensor[] | undefined;
  const outputVersions: (number | undefined)[] = [];
  if (gradient !== undefined && needsOutput && !nested) {
    outputVersions.push(...outputs.map(dataVersion));
    savedOutputs = outputs.map((output) => host.keep(alias(host, output)));
    saved.push(...savedOutputs);
  }
  const wrap = gradientWrapper?.();

  const backward = (dys: (Tensor | null)[], lazy = false): Record<string, () => Tensor> => {
    savedNames.forEach((name, index) => {
      if (versions[index] !== dataVersion(savedInputs[name]))
        throw new KernelError(
          `${kernelName}: expected ${name} as it was in the forward pass, got one updated in place since; update after the backward pass`,
        );
    });
    if (savedOutputs?.some((output, index) => outputVersions[index] !== dataVersion(output)))
      throw new KernelError(
        `${kernelName}: expected its result as it was in the forward pass, got one updated in place since; update after the backward pass`,
      );
    const firstOfOurs = host.nextTensorId();
    let recomputed: Tensor[] | undefined;
    const results = (): Tensor[] => {
      recomputed ??= savedOutputs ?? recompute(savedInputs as Inputs, attrs);
      return recomputed;
    };
    const given = dys.map((dy) => dy !== null);
    const allDys = withZeros(dys, outputs);
    const context: GradientContext<Inputs, Attributes> = {
      get dy() {
        return allDys[0];
      },
      dys: allDys,
      given,
      saved: savedInputs as GradientContext<Inputs, Attributes>["saved"],
      get output() {
        return results()[0];
      },
      get outputs() {
        return results();
      },
      shapes: shapes as GradientContext<Inputs, Attributes>["shapes"],
      attrs,
    };
    const functions = gradient!(context);
    const guarded: Record<string, () => Tensor> = {};
    const handedOut = new Set<Tensor>();
    for (const name in differentiable)
      guarded[name] = () => {
        const compute = functions[name];
        if (compute === undefined) return zeros(shapes[name]);
        const result = wrap === undefined ? compute() : wrap(kernelName, compute);
        // one that was there before, or that another input got, belongs to somebody else, who may dispose it
        if (result.id < firstOfOurs || handedOut.has(result)) return connectedAlias(host, result);
        handedOut.add(result);
        return result;
      };
    if (!lazy)
      for (const name in guarded) {
        const result = guarded[name]();
        guarded[name] = () => result;
      }
    return guarded;
  };
  host.state.activeTape!.push({
    id: host.state.nextTapeNodeId++,
    kernelName,
    inputs: differentiable,
    outputs,
    saved,
    ...(gradient === undefined ? {} : { gradient: backward }),
  });
}

/** The gradients of all outputs; zeros are made for the outputs without one only when somebody looks. */
function withZeros(dys: readonly (Tensor | null)[], outputs: readonly Tensor[]): Tensor[] {
  const all = [...dys] as Tensor[];
  dys.forEach((dy, index) => {
    if (dy !== null) return;
    let made: Tensor | undefined;
    Object.defineProperty(all, index, {
      get: () => {
        made ??= zeros(outputs[index].shape);
        return made;
      },
    });
  });
  return all;
}

/** Frees what a tape saved. */
function release(tape: readonly TapeNode[]): void {
  for (const node of tape) for (const tensor of node.saved) tensor.dispose();
}

/** Nodes on a path from `inputs` to `output`, in recording order, each with only the inputs on such a path. */
function relevantNodes(tape: readonly TapeNode[], inputs: readonly Tensor[], output: Tensor): TapeNode[] {
  const fromInput = new Set(inputs.map((tensor) => tensor.id));
  const forward: TapeNode[] = [];
  for (const node of tape) {
    const used = Object.entries(node.inputs).filter(([, tensor]) => fromInput.has(tensor.id));
    if (used.length === 0) continue;
    for (const result of node.outputs) fromInput.add(result.id);
    forward.push({ ...node, inputs: Object.fromEntries(used) });
  }
  const toOutput = new Set([output.id]);
  const path: TapeNode[] = [];
  for (let index = forward.length - 1; index >= 0; index--) {
    const node = forward[index];
    if (!node.outputs.some((result) => toOutput.has(result.id))) continue;
    for (const tensor of Object.values(node.inputs)) toOutput.add(tensor.id);
    path.push(node);
  }
  return path;
}

/**
 * Runs `fn`, then the backward pass, and frees the tape. The one place where gradients are taken:
 * safe inside a gradient function, because the outer tape is put aside and back.
 * @param inputs Tensors to differentiate with respect to.
 * @param seed Gradient of the result, its shape; ones when null.
 * @returns the value and one gradient an input, undefined where the value does not depend on it.
 */
export function differentiate(
  operation: string,
  fn: () => Tensor,
  inputs: readonly Tensor[],
  seed: Tensor | null,
): { value: Tensor; grads: (Tensor | undefined)[] } {
  const host = engine() as unknown as TapeEngine;
  const { state } = host;
  const outerTape = state.activeTape;
  const outermost = state.gradientDepth === 0;
  if (outermost) state.activeTape = [];
  const tape = state.activeTape!;
  try {
    return host.tidy(() => {
      state.gradientDepth++;
      const firstOfOurs = host.nextTensorId();
      let value: Tensor;
      try {
        value = host.tidy(fn);
      } finally {
        state.gradientDepth--;
      }
      assertDifferentiable(operation, value, seed);
      const path = relevantNodes(tape, inputs, value);
      const grads = backpropagate(host, path, inputs, value, seed, outermost);
      // a value that was there before stays its owner's
      return { value: value.id < firstOfOurs ? connectedAlias(host, value) : value, grads };
    });
  } finally {
    if (outermost) {
      release(tape);
      state.activeTape = outerTape;
    }
  }
}

function assertDifferentiable(operation: string, value: Tensor, seed: Tensor | null): void {
  if (typeof value?.dataId !== "object")
    throw new InputError(
      `${operation}: expected a function that returns a tensor, got ${typeof value}; return the loss`,
    );
  if (value.dtype !== "float32")
    throw new InputError(
      `${operation}: expected a float32 result, got ${value.dtype}; only floats have gradients`,
    );
  if (seed === null && value.size !== 1)
    throw new InputError(
      `${operation}: expected a scalar result or a seed, got shape ${formatShape(value.shape)}; reduce it with sum or mean, or pass { seed }`,
    );
  if (seed !== null && !sameShape(seed.shape, value.shape))
    throw new InputError(
      `${operation}: expected a seed of shape ${formatShape(value.shape)}, got ${formatShape(seed.shape)}; pass the gradient of the result`,
    );
}

function backpropagate(
  host: TapeEngine,
  path: readonly TapeNode[],
  inputs: readonly Tensor[],
  value: Tensor,
  seed: Tensor | null,
  freeEarly: boolean,
): (Tensor | undefined)[] {
  const gradients = new Map<number, Tensor>();
  const wanted = new Set(inputs.map((tensor) => tensor.id));
  gradients.set(value.id, seed ?? zeros(value.shape, "float32", 1));
  for (const node of path) {
    const dys = node.outputs.map((output) => gradients.get(output.id) ?? null);
    if (dys.every((dy) => dy === null)) continue;
    if (node.gradient === undefined)
      throw new KernelError(
        `${node.kernelName}: expected an op with a gradient, got one without; use stopGradient on its input`,
      );
    host.startScope(node.kernelName);
    const results: Tensor[] = [];
    try {
      const functions = node.gradient(dys, true);
      for (const name in node.inputs) {
        const input = node.inputs[name];
        const gradient = functions[name]();
        if (gradient.dtype !== "float32" || !sameShape(gradient.shape, input.shape))
          throw new KernelError(
            `${node.kernelName}: expected a float32 gradient of shape ${formatShape(input.shape)} for ${name}, got ${gradient.dtype} ${formatShape(gradient.shape)}`,
          );
        const sum = gradients.get(input.id);
        gradients.set(input.id, sum === undefined ? gradient : add(sum, gradient));
      }
      for (const name in node.inputs) results.push(gradients.get(node.inputs[name].id)!);
    } finally {
      host.endScope(results);
    }
    if (freeEarly) {
      // nothing reads these again: the memory serves the rest of the backward pass
      for (const tensor of node.saved) tensor.dispose();
      for (const output of node.outputs) {
        const spent = gradients.get(output.id);
        if (spent !== undefined && spent !== seed && !wanted.has(output.id) && !results.includes(spent)) {
          spent.dispose();
          gradients.delete(output.id);
        }
      }
    }
  }
  const handedOut = new Set<Tensor>();
  return inputs.map((tensor) => {
    const gradient = gradients.get(tensor.id);
    if (gradient === undefined) return undefined;
    // the seed is the caller's, and an input that is listed twice gets two tensors
    if (gradient === seed || handedOut.has(gradient)) return connectedAlias(host, gradient);
    handedOut.add(gradient);
    return gradient;
  });
}
