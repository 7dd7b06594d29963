import {
  concat,
  dispose,
  fromValues,
  InputError,
  mul,
  noGrad,
  read,
  reshape,
  type Tensor,
  tidy,
  valueAndGrad,
  WeightsError,
  zeros,
} from "@ai/tensor";
import { Parameter } from "../../parameter.js";
import type { StateEntry } from "../../state-dict.js";
import { assertOptionNames } from "../option-names.js";
import { CurvatureMemory, type CurvaturePair, dot, largest } from "./curvature-memory.js";
import { givenOptions } from "./given-options.js";
import { assertNotNegative } from "./optimizer.js";
import { type LinePoint, searchStrongWolfe } from "./strong-wolfe.js";

/** Options of {@link LBFGS}; the defaults are PyTorch's. */
export interface LbfgsOptions {
  /** Length of a step along its direction, or of the first trial of a line search. Default 1. */
  readonly learningRate: number;
  /** Directions of one `step`. Default 20. */
  readonly maxIterations: number;
  /** Evaluations of the loss in one `step`. Default `maxIterations · 5 / 4`. */
  readonly maxEvaluations: number;
  /** A step ends where no gradient is larger. Default 1e-7. */
  readonly gradientTolerance: number;
  /** A step ends where loss or weights change by less. Default 1e-9. */
  readonly changeTolerance: number;
  /** Changes that are remembered, each as large as weights and gradients together. Default 100. */
  readonly historySize: number;
  /** How long a step along a direction is: `learningRate` ("none", default), or searched for ("strongWolfe"). */
  readonly lineSearch: "none" | "strongWolfe";
}

/** Options of {@link LBFGS.step}. */
export interface LbfgsStepOptions {
  /** Ends the step between two evaluations; the weights are those of before it then. */
  readonly signal?: AbortSignal | undefined;
}

/** Everything an {@link LBFGS} remembers, on the host. */
export interface LbfgsState {
  /** Plain JSON. */
  readonly json: {
    readonly name: "LBFGS";
    readonly iterations: number;
    readonly evaluations: number;
    /** Length of the last step along its direction. */
    readonly length: number;
    readonly pairs: number;
  };
  /** `direction`, `gradient`, and `INDEX.step` and `INDEX.gradientChange` of each pair, float32 `[weights]`. */
  readonly tensors: ReadonlyMap<string, StateEntry>;
}

interface Memory {
  readonly iterations: number;
  readonly evaluations: number;
  readonly length: number;
  readonly direction: Float32Array;
  readonly gradient: Float32Array;
  readonly curvature: CurvatureMemory;
}

interface Point extends LinePoint {
  /** `[weights]` */
  readonly gradient: Float32Array;
}

const DEFAULTS = {
  learningRate: 1,
  maxIterations: 20,
  gradientTolerance: 1e-7,
  changeTolerance: 1e-9,
  historySize: 100,
  lineSearch: "none",
} as const satisfies Partial<LbfgsOptions>;

/**
 * Steps along `−H·g`, where `H` is what the last changes of gradient and weights say of the inverse Hessian, as
 * `torch.optim.LBFGS`. For small models and all the data at once: it evaluates the loss several times a step, must get the
 * same loss for the same weights (no dropout, no other batch), and keeps its memory on the host. It is no `Optimizer` for a
 * `Trainer`, as it asks for the loss itself.
 * @see Liu, Nocedal (1989), "On the limited memory BFGS method for large scale optimization",
 * https://doi.org/10.1007/BF01589116
 * @example
 * const optimizer = new LBFGS(model.parameters(), { lineSearch: "strongWolfe" });
 * for (let step = 0; step < 10; step++) await optimizer.step(() => mseLoss(model.call(x), y));
 */
export class LBFGS {
  /** The weights, in the order given. */
  readonly parameters: readonly Parameter[];
  readonly options: LbfgsOptions;
  /** Numbers in all parameters. */
  readonly #size: number;
  #memory: Memory | undefined;
  #isRunning = false;

  /** @throws InputError for options out of range, or anything but different parameters. */
  constructor(parameters: readonly Parameter[], options: Partial<LbfgsOptions> = {}) {
    assertOptionNames("LBFGS", options, [
      "learningRate",
      "maxIterations",
      "maxEvaluations",
      "gradientTolerance",
      "changeTolerance",
      "historySize",
      "lineSearch",
    ]);
    const areParameters =
      Array.isArray(parameters) &&
      parameters.length > 0 &&
      parameters.every((each) => each instanceof Parameter) &&
      new Set(parameters).size === parameters.length;
    if (!areParameters)
      throw new InputError(
        "LBFGS: expected an array of different parameters, without groups, got something else; pass model.parameters()",
      );
    const given = givenOptions(options);
    const { maxIterations = DEFAULTS.maxIterations } = given;
    const all: LbfgsOptions = {
      ...DEFAULTS,
      maxEvaluations: Math.max(1, Math.floor((maxIterations * 5) / 4)),
      ...given,
    };
    const { learningRate, maxEvaluations, gradientTolerance, changeTolerance, historySize } = all;
    assertNotNegative("LBFGS", { learningRate, gradientTolerance, changeTolerance });
    for (const [name, count] of Object.entries({ maxIterations, maxEvaluations, historySize }))
      if (!Number.isInteger(count) || count < 1)
        throw new InputError(`LBFGS: expected an integer ${name} of at least 1, got ${count}`);
    if (all.lineSearch !== "none" && all.lineSearch !== "strongWolfe")
      throw new InputError(`LBFGS: expected lineSearch none or strongWolfe, got ${String(all.lineSearch)}`);
    this.parameters = [...parameters];
    this.options = all;
    this.#size = parameters.reduce((sum, parameter) => sum + sizeOf(parameter), 0);
  }

  /**
   * Several iterations on one loss. Parameters that are frozen or that it does not depend on stay as they are.
   * @param compute The loss `[]` of the weights as they are; called several times.
   * @returns The loss before the step.
   * @throws InputError for a loss that depends on no weight that is trained, where a loss or gradient is not finite (a
   * trial of a line search may be), or another step is running; what `compute` throws, and the signal's reason. The weights
   * are those of before the step then.
   */
  async step(compute: () => Tensor, options: LbfgsStepOptions = {}): Promise<number> {
    assertOptionNames("LBFGS.step", options, ["signal"]);
    const { signal } = options;
    if (typeof compute !== "function")
      throw new InputError(
        `LBFGS.step: expected a function that computes the loss, got ${typeof compute}; gradients are computed inside`,
      );
    if (this.#isRunning)
      throw new InputError("LBFGS.step: expected one step at a time, got another one; await the first");
    this.#isRunning = true;
    try {
      const before = await this.#weights();
      try {
        return await this.#iterate(compute, before, signal);
      } catch (error) {
        this.#place(before);
        throw error;
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async #iterate(
    compute: () => Tensor,
    before: Float32Array,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const { learningRate, maxIterations, maxEvaluations, gradientTolerance, changeTolerance, historySize } =
      this.options;
    let memory = this.#memory;
    let weights = before;
    let now = assertFinite(await this.#evaluate(compute, signal));
    const first = now.loss;
    let evaluations = 1;
    if (largest(now.gradient) <= gradientTolerance) return first;
    for (let iteration = 1; iteration <= maxIterations; iteration++) {
      const start = now;
      const curvature = remember(memory, start.gradient, historySize);
      const direction = curvature.direction(start.gradient);
      const isFirst = memory === undefined;
      let length = isFirst ? Math.min(1, 1 / absoluteSum(start.gradient)) * learningRate : learningRate;
      const count = { iterations: (memory?.iterations ?? 0) + 1, evaluations: memory?.evaluations ?? 0 };
      const { gradient } = start;
      memory = { ...count, length, direction, gradient, curvature };
      const slope = dot(gradient, direction);
      if (slope > -changeTolerance) break;
      const from = weights;
      const goTo = (position: number): void => {
        weights = from.map((value, index) => value + position * direction[index]);
        this.#place(weights);
      };
      if (this.options.lineSearch === "strongWolfe") {
        const evaluate = async (position: number): Promise<Point> => {
          goTo(position);
          const { loss, gradient: there } = await this.#evaluate(compute, signal);
          // a loss that is no number is too high
          return {
            position,
            loss: Number.isNaN(loss) ? Number.POSITIVE_INFINITY : loss,
            gradient: there,
            slope: dot(there, direction),
          };
        };
        const limits = {
          maxEvaluations: maxEvaluations - evaluations,
          smallestInterval: changeTolerance / largest(direction),
        };
        const found = await searchStrongWolfe(evaluate, { ...start, position: 0, slope }, length, limits);
        evaluations += found.evaluations;
        length = found.point.position;
        goTo(length);
        now = assertFinite(found.point);
      } else {
        goTo(length);
        if (iteration < maxIterations) {
          now = assertFinite(await this.#evaluate(compute, signal));
          evaluations++;
        }
      }
      memory = { ...memory, length };
      const isSmall = largest(direction) * length <= changeTolerance;
      const isOver = evaluations >= maxEvaluations || largest(now.gradient) <= gradientTolerance;
      if (isOver || isSmall || Math.abs(now.loss - start.loss) < changeTolerance) break;
    }
    if (memory !== undefined) this.#memory = { ...memory, evaluations: memory.evaluations + evaluations };
    return first;
  }

  /** Loss and gradient at the weights as they are. */
  async #evaluate(compute: () => Tensor, signal: AbortSignal | undefined): Promise<Point> {
    signal?.throwIfAborted();
    const trained = this.parameters.filter(({ requiresGrad }) => requiresGrad);
    const values = trained.map((parameter) => parameter.value);
    const { value, grads } = valueAndGrad(compute, values, { allowUnused: true });
    if (grads.every((gradient) => gradient === null)) {
      value.dispose();
      throw new InputError(
        "LBFGS.step: expected a loss that depends on the parameters, got one that ignores them all, or they are frozen; make the optimizer with the parameters of this model",
      );
    }
    const byParameter = new Map(trained.map((parameter, index) => [parameter, grads[index]]));
    const flat = noGrad(() =>
      tidy(() =>
        concat(
          this.parameters.map((parameter) => {
            const size = sizeOf(parameter);
            const gradient = byParameter.get(parameter) ?? null;
            if (gradient === null) return zeros([size]);
            return reshape(parameter.mask === undefined ? gradient : mul(gradient, parameter.mask.value), [
              size,
            ]);
          }),
        ),
      ),
    );
    dispose(grads);
    try {
      const [[loss], gradient] = await Promise.all([read(value), read(flat)]);
      return { position: 0, slope: Number.NaN, loss, gradient: (gradient as Float32Array).slice() };
    } finally {
      dispose([value, flat]);
    }
  }

  /** All weights in one list. @returns `[weights]` */
  async #weights(): Promise<Float32Array> {
    const flat = noGrad(() =>
      tidy(() => concat(this.parameters.map((parameter) => reshape(parameter.value, [sizeOf(parameter)])))),
    );
    try {
      return ((await read(flat)) as Float32Array).slice();
    } finally {
      dispose(flat);
    }
  }

  #place(weights: Float32Array): void {
    let begin = 0;
    for (const parameter of this.parameters) {
      const end = begin + sizeOf(parameter);
      if (parameter.requiresGrad)
        parameter.setValue(fromValues(weights.slice(begin, end), parameter.shape, "float32"));
      begin = end;
    }
  }

  /** Copies what it remembers. */
  state(): LbfgsState {
    const memory = this.#memory;
    const tensors = new Map<string, StateEntry>();
    const put = (name: string, values: Float32Array): void => {
      tensors.set(name, { dtype: "float32", shape: [values.length], values: values.slice() });
    };
    if (memory !== undefined) {
      put("direction", memory.direction);
      put("gradient", memory.gradient);
      memory.curvature.pairs.forEach(({ step, gradientChange }, index) => {
        put(`${index}.step`, step);
        put(`${index}.gradientChange`, gradientChange);
      });
    }
    const { iterations = 0, evaluations = 0, length = 0 } = memory ?? {};
    return {
      json: { name: "LBFGS", iterations, evaluations, length, pairs: memory?.curvature.pairs.length ?? 0 },
      tensors,
    };
  }

  /** Goes on from a saved state. @throws WeightsError when it is none, or of other parameters; nothing changes then. */
  loadState(state: LbfgsState): void {
    const { json, tensors } = (state ?? {}) as Partial<LbfgsState>;
    const counts = [json?.iterations, json?.evaluations, json?.pairs];
    const areCounts = counts.every((count) => Number.isSafeInteger(count) && (count as number) >= 0);
    if (json?.name !== "LBFGS" || !areCounts || !Number.isFinite(json.length) || !(tensors instanceof Map))
      throw new WeightsError("LBFGS.loadState: expected { json, tensors } that state() gave, got another");
    const take = (name: string): Float32Array => {
      const entry = tensors.get(name);
      if (!(entry?.values instanceof Float32Array) || entry.values.length !== this.#size)
        throw new WeightsError(
          `LBFGS.loadState: expected ${this.#size} float32 values for ${name}, got ${entry?.values?.length ?? "none"}`,
        );
      return entry.values.slice();
    };
    const { iterations, evaluations, length, pairs: count } = json;
    if (iterations === 0) {
      this.#memory = undefined;
      return;
    }
    const pairs = Array.from({ length: count }, (_, index): CurvaturePair => {
      return { step: take(`${index}.step`), gradientChange: take(`${index}.gradientChange`) };
    });
    const [direction, gradient] = [take("direction"), take("gradient")];
    const curvature = new CurvatureMemory(pairs);
    this.#memory = { iterations, evaluations, length, direction, gradient, curvature };
  }
}

/** What is known with the change from the last point to this one. */
function remember(memory: Memory | undefined, gradient: Float32Array, size: number): CurvatureMemory {
  if (memory === undefined) return new CurvatureMemory();
  const gradientChange = gradient.map((value, index) => value - memory.gradient[index]);
  const step = memory.direction.map((value) => value * memory.length);
  return memory.curvature.with({ step, gradientChange }, size);
}

function assertFinite(point: Point): Point {
  if (Number.isFinite(point.loss) && Number.isFinite(largest(point.gradient))) return point;
  throw new InputError(
    `LBFGS.step: expected a finite loss and gradient, got a loss of ${point.loss} and a largest gradient of ${largest(point.gradient)}; set lineSearch to "strongWolfe" or lower the learningRate`,
  );
}

function absoluteSum(values: Float32Array): number {
  return values.reduce((sum, value) => sum + Math.abs(value), 0);
}

function sizeOf({ shape }: Parameter): number {
  return shape.reduce((product, length) => product * length, 1);
}
