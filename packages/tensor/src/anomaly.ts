import type { Tensor } from "@tensorflow/tfjs-core";
import { noGrad } from "./autograd.js";
import { unrecorded } from "./engine.js";
import { KernelError } from "./errors.js";
import { observeKernels } from "./kernels/define-kernel.js";
import { currentLayer } from "./layer-path.js";
import { keep, tidy } from "./memory.js";
import { stack } from "./ops/concat.js";
import { any } from "./ops/reduce.js";
import { isNaN as isNotANumber } from "./ops/unary.js";
import { wrapGradients } from "./tape.js";
import { read } from "./tensor.js";

/** One checked output: where it was made, and a bool scalar that says whether it holds a NaN. */
interface Observation {
  readonly place: string;
  readonly flag: Tensor;
}

/** Flags that are read together: one read a thousand ops keeps memory and waiting small. */
const FLAGS_PER_READ = 1000;

let active = false;

/**
 * Runs a function, forward and backward passes included, and finds the first op that made a NaN.
 * Slow: every op is followed by a check. For debugging, after the trainer stopped on a NaN.
 * @param fn Any computation with ops of this library; may be asynchronous.
 * @returns what `fn` returns.
 * @throws KernelError that names the op and the layer in which the first NaN appeared.
 * @throws KernelError when called while another `detectAnomaly` runs.
 * @example
 * await detectAnomaly(() => valueAndGrad(() => loss(model.call(x)), parameters));
 */
export async function detectAnomaly<T>(fn: () => T | Promise<T>): Promise<T> {
  if (active)
    throw new KernelError("detectAnomaly: expected one run at a time, got a second; await the first");
  active = true;
  const observations: Observation[] = [];
  let backwardOf: string | undefined;
  let checking = false;
  const stopObserving = observeKernels((name, outputs) => {
    if (checking) return;
    checking = true;
    const place = backwardOf ?? describePlace(name, currentLayer());
    try {
      for (const output of outputs)
        if (output.dtype === "float32" && output.size > 0)
          observations.push({
            place,
            flag: noGrad(() => unrecorded(() => keep(tidy(() => any(isNotANumber(output)))))),
          });
    } finally {
      checking = false;
    }
  });
  wrapGradients(() => {
    const layer = currentLayer();
    return (kernelName, compute) => {
      const outer = backwardOf;
      backwardOf = describePlace(`the gradient of ${kernelName}`, layer);
      try {
        return compute();
      } finally {
        backwardOf = outer;
      }
    };
  });
  try {
    let result: T | undefined;
    let failure: { readonly cause: unknown } | undefined;
    try {
      result = await fn();
    } catch (cause) {
      failure = { cause };
    }
    stopObserving();
    const place = await firstAnomaly(observations);
    if (place !== undefined)
      throw new KernelError(
        `detectAnomaly: expected numbers, got the first NaN in ${place}; check its inputs`,
        failure,
      );
    if (failure !== undefined) throw failure.cause;
    return result as T;
  } finally {
    stopObserving();
    wrapGradients(undefined);
    for (const { flag } of observations) flag.dispose();
    active = false;
  }
}

function describePlace(operation: string, layer: string): string {
  return layer === "" ? operation : `${operation}, layer ${layer}`;
}

async function firstAnomaly(observations: readonly Observation[]): Promise<string | undefined> {
  for (let start = 0; start < observations.length; start += FLAGS_PER_READ) {
    const group = observations.slice(start, start + FLAGS_PER_READ);
    const flags = stack(group.map(({ flag }) => flag)); // [ops]
    const values = await read(flags);
    flags.dispose();
    const first = values.findIndex((value) => value !== 0);
    if (first >= 0) return group[first].place;
  }
  return undefined;
}
