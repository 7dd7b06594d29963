import {
  all,
  cast,
  dispose,
  equal,
  keep,
  max,
  min,
  read,
  reshape,
  scalar,
  stack,
  stopGradient,
  type Tensor,
  tidy,
} from "@ai/tensor";
import { Dropout } from "../dropout.js";
import { type AnyModule, Module } from "../module.js";
import type { Parameter } from "../parameter.js";
import { tensorsIn } from "../summary.js";
import type { TrainableModel, TrainerOptions } from "./trainer-options.js";
import { type LossResult, lossAndGradients } from "./training-step.js";

/** One thing that may keep a model from learning. */
export interface LearningProblem {
  readonly kind:
    | "frozen"
    | "not-in-optimizer"
    | "no-gradient"
    | "zero-gradient"
    | "dead-layer"
    | "same-output"
    | "dropout"
    | "not-finite"
    | "rising-loss"
    | "slow";
  /** The parameter or layer; absent when it concerns the whole. */
  readonly path?: string;
  /** One sentence or two. */
  readonly message: string;
}

/** What the layers gave in one pass: whether all was 0, and whether each example gave the same. */
interface LayerOutput {
  readonly path: string;
  /** `[2]`: 1 where it is so. */
  readonly flags: Tensor;
}

/** Looks at gradients and outputs of one pass in the mode that the model is in. */
export async function diagnose<Batch, Model extends TrainableModel>(
  { model, optimizer }: TrainerOptions<Batch, Model>,
  compute: () => Tensor | LossResult,
): Promise<readonly LearningProblem[]> {
  const names = namesOf(model);
  const nameOf = (parameter: Parameter): string =>
    names.get(parameter) ?? `parameter ${optimizer.parameters.indexOf(parameter)}`;
  const inOptimizer = new Set(optimizer.parameters);
  const every = [...new Set([...names.keys(), ...optimizer.parameters])];
  const frozen = every.filter(({ requiresGrad }) => !requiresGrad);
  const outside = every.filter((parameter) => parameter.requiresGrad && !inOptimizer.has(parameter));
  const trained = every.filter((parameter) => parameter.requiresGrad && inOptimizer.has(parameter));
  const { outputs, stop } = watch(model);
  let gradients: (Tensor | null)[] = [];
  let zero: readonly boolean[];
  let flags: readonly (readonly [isZero: boolean, isSame: boolean])[];
  try {
    const result = lossAndGradients(trained, compute, (pair) => dispose(pair));
    result.loss.dispose();
    gradients = result.gradients;
    zero = await Promise.all(
      gradients.map(async (gradient) => gradient !== null && (await isZero(gradient))),
    );
    flags = await Promise.all(
      outputs.map(async (output) => {
        const [first, second] = await read(output.flags);
        return [first !== 0, second !== 0] as const;
      }),
    );
  } finally {
    stop();
    dispose([gradients, outputs.map((output) => output.flags)]);
  }
  const withoutGradient = trained.filter((_, index) => gradients[index] === null);
  const withZero = trained.filter((_, index) => zero[index]);
  const dead = outputs.filter((_, index) => flags[index][0]);
  const same = outputs.filter((_, index) => flags[index][1] && !flags[index][0]);
  return [
    ...withoutGradient.map((parameter) => ({
      kind: "no-gradient" as const,
      path: nameOf(parameter),
      message: `No gradient reaches ${nameOf(parameter)}: the loss does not depend on it; see whether its layer is called and its output used, and that nothing on the way goes through stopGradient, argMax or a comparison.`,
    })),
    ...dead.map(({ path }) => ({
      kind: "dead-layer" as const,
      path,
      message: `${named(path)} gives nothing but zeros: what comes before it gets no gradient; lower the learning rate, or look at its initial weights and inputs.`,
    })),
    ...same.map(({ path }) => ({
      kind: "same-output" as const,
      path,
      message: `${named(path)} gives every example of the batch the same output: the examples cannot be told apart after it.`,
    })),
    ...withZero.map((parameter) => ({
      kind: "zero-gradient" as const,
      path: nameOf(parameter),
      message: `The gradient of ${nameOf(parameter)} is exactly 0: a layer after it is saturated or dead, or its input is 0.`,
    })),
    ...frozen.map((parameter) => ({
      kind: "frozen" as const,
      path: nameOf(parameter),
      message: `${nameOf(parameter)} is frozen (requiresGrad is false): thaw it if it should learn.`,
    })),
    ...outside.map((parameter) => ({
      kind: "not-in-optimizer" as const,
      path: nameOf(parameter),
      message: `${nameOf(parameter)} is not in the optimizer: make it with all of model.parameters().`,
    })),
    ...dropoutsOf(model).map(([path, probability]) => ({
      kind: "dropout" as const,
      path,
      message: `${path} drops ${probability} of its input while training: a loss of 0 may not be in reach; check without it.`,
    })),
  ];
}

/** What the way of the losses says. @param broke Whether it ended at a loss that is not finite. */
export function problemsOfLosses(
  losses: readonly number[],
  broke: boolean,
  learningRate: number,
): readonly LearningProblem[] {
  if (broke)
    return [
      {
        kind: "not-finite",
        message: `The loss was NaN or infinite in step ${losses.length + 1}: lower the learning rate (${learningRate}), or run the step in detectAnomaly to find the op.`,
      },
    ];
  const [first, last] = [losses[0], losses.at(-1) as number];
  const lowest = Math.min(...losses);
  const size = Math.abs(first);
  // dropout and the like make small ups and downs, which say nothing
  const fellAndRose = first - lowest > size / 2 && last - lowest > (first - lowest) / 2;
  if (last - first > size / 2 || fellAndRose)
    return [
      {
        kind: "rising-loss",
        message: `The loss rose again after it had been ${Number(lowest.toPrecision(3))}: the learning rate (${learningRate}) is too high; findLearningRate suggests one.`,
      },
    ];
  return [
    {
      kind: "slow",
      message: `The loss fell slowly: try a higher learning rate than ${learningRate} (findLearningRate suggests one) or more steps, and see whether two examples have the same input and different targets.`,
    },
  ];
}

function named(path: string): string {
  return path === "" ? "The model" : path;
}

function namesOf(model: TrainableModel): Map<Parameter, string> {
  if (!(model instanceof Module)) return new Map();
  return new Map((model as AnyModule).namedParameters().map(([path, parameter]) => [parameter, path]));
}

function dropoutsOf(model: TrainableModel): [path: string, probability: number][] {
  if (!(model instanceof Module)) return [];
  return (model as AnyModule)
    .namedModules()
    .flatMap(([path, part]) =>
      part instanceof Dropout && part.probability > 0 ? [[path, part.probability] as [string, number]] : [],
    );
}

/** Notes what each layer gives that has an example a row. */
function watch(model: TrainableModel): { outputs: LayerOutput[]; stop: () => void } {
  const outputs: LayerOutput[] = [];
  if (!(model instanceof Module)) return { outputs, stop: () => undefined };
  const removers = (model as AnyModule).namedModules().map(([path, layer]) =>
    layer.registerForwardHook((_, __, output) => {
      const tensors = tensorsIn(output);
      const [value] = tensors;
      if (tensors.length !== 1 || value.dtype !== "float32" || value.size === 0 || value.shape.length === 0)
        return undefined;
      outputs.push({ path, flags: keep(tidy(() => flagsOf(stopGradient(value)))) });
      return undefined;
    }),
  );
  return {
    outputs,
    stop: () => {
      for (const remove of removers) remove();
    },
  };
}

/** @param value `[batch, ...]` @returns `[2]`: whether all is 0, and whether all rows are the same. */
function flagsOf(value: Tensor): Tensor {
  const rows = reshape(value, [value.shape[0], value.size / value.shape[0]]); // [batch, size]
  const isZeroEverywhere = all(equal(rows, 0)); // []
  const isSame = all(equal(max(rows, { axes: 0 }), min(rows, { axes: 0 }))); // []
  const same = rows.shape[0] > 1 ? cast(isSame, "float32") : scalar(0);
  return stack([cast(isZeroEverywhere, "float32"), same]); // [2]
}

async function isZero(gradient: Tensor): Promise<boolean> {
  const flag = tidy(() => all(equal(gradient, 0)));
  try {
    return (await read(flag))[0] !== 0;
  } finally {
    flag.dispose();
  }
}
