import { add, dispose, ones, read, scalar, sum, type Tensor, tidy, valueAndGrad, zeros } from "@ai/tensor";
import { tensorsIn } from "../summary.js";
import { breathe } from "./event-loop.js";
import type { LayerCall } from "./profile.js";

/** How calls are timed. */
export interface Timing {
  readonly repeats: number;
  readonly backward: boolean;
  /** Milliseconds that waiting for the device takes when it has nothing to do. */
  readonly idle: number;
  readonly signal: AbortSignal | undefined;
  /** Runs synchronous work with the whole model in evaluation mode. */
  inEvaluation<Result>(work: () => Result): Result;
}

/** Waits until the device has done everything so far: work is done in order, and this is the last of it. */
async function synchronize(probe: Tensor): Promise<void> {
  const last = add(probe, 1);
  try {
    await read(last);
  } finally {
    last.dispose();
  }
}

/** A repetition runs its work again until that takes as many times as long as waiting for the device does. */
const WORK_OVER_WAITING = 4;
/** Most runs in a repetition: a GPU starts so many small kernels in a few milliseconds. */
const MOST_RUNS = 64;

/** What {@link fastest} needs to know. */
interface Repetitions {
  readonly repeats: number;
  /** Milliseconds that waiting for the device takes when it has nothing to do. */
  readonly idle: number;
  readonly signal?: AbortSignal;
}

/**
 * Milliseconds of one run in the fastest repetition, without waiting for the device: a GPU hides work that takes less
 * than that, so such work is run many times for one wait. Two repetitions do not count: one warms up, one tells how many runs.
 */
async function fastest(work: () => void, { repeats, idle, signal }: Repetitions): Promise<number> {
  const probe = zeros([1]);
  try {
    await synchronize(probe);
    let best = Number.POSITIVE_INFINITY;
    let runs = 1;
    for (let repeat = -1; repeat <= repeats; repeat++) {
      signal?.throwIfAborted();
      const began = performance.now();
      for (let run = 0; run < runs; run++) work();
      await synchronize(probe);
      const once = Math.max(0, performance.now() - began - idle) / runs;
      if (repeat > 0) best = Math.min(best, once);
      if (repeat === 0 && idle > 0)
        runs = Math.min(MOST_RUNS, Math.max(1, Math.ceil((WORK_OVER_WAITING * idle) / once)));
      await breathe();
    }
    return best;
  } finally {
    probe.dispose();
  }
}

/** Milliseconds that a measurement of nothing takes. */
export function idleTime(repeats: number): Promise<number> {
  return fastest(() => undefined, { repeats, idle: 0 });
}

/**
 * Times one call by itself. A call that cannot be repeated, for example with a state that lives in an object and is gone,
 * stays without times, unless it is the model's own.
 */
export async function measureCall(call: LayerCall, timing: Timing): Promise<void> {
  const { module, inputs, outputShape } = call;
  const { repeats, backward, idle, signal, inEvaluation } = timing;
  const run = (): void => dispose(tensorsIn(inEvaluation(() => module.call(...inputs))));
  try {
    call.forward = await fastest(run, { repeats, idle, signal });
  } catch (error) {
    if (signal?.aborted || call.path === "") throw error;
    return;
  }
  const sources = [
    ...module.parameters().flatMap(({ requiresGrad, value }) => (requiresGrad ? [value] : [])),
    ...inputs.flatMap(tensorsIn).filter(({ dtype }) => dtype === "float32"),
  ];
  if (!backward || sources.length === 0) return;
  const seed = outputShape === undefined ? undefined : ones(outputShape);
  const runBoth = (): void =>
    inEvaluation(() => {
      const compute = (): Tensor =>
        seed === undefined ? totalOf(module.call(...inputs)) : (module.call(...inputs) as Tensor);
      const options = { allowUnused: true, ...(seed === undefined ? {} : { seed }) };
      const { value, grads } = valueAndGrad(compute, sources, options);
      dispose([value, grads]);
    });
  try {
    call.backward = Math.max(0, (await fastest(runBoth, { repeats, idle, signal })) - call.forward);
  } catch (error) {
    if (signal?.aborted || call.path === "") throw error;
  } finally {
    seed?.dispose();
  }
}

/** A number that depends on all float outputs. @returns `[]` */
function totalOf(output: unknown): Tensor {
  return tidy(() => {
    const floats = tensorsIn(output).filter(({ dtype }) => dtype === "float32");
    return floats.reduce<Tensor>((total, tensor) => add(total, sum(tensor)), scalar(0));
  });
}
