import {
  dispose,
  fromValues,
  InputError,
  keep,
  mul,
  noGrad,
  read,
  type Shape,
  ShapeError,
  type Tensor,
  WeightsError,
} from "@ai/tensor";
import { Parameter } from "../../parameter.js";
import type { StateEntry } from "../../state-dict.js";
import { assertOptionNames } from "../option-names.js";
import { givenOptions } from "./given-options.js";
import { describe, isListOf, sameShape } from "./saved-values.js";

/** Options that every optimizer has. */
export interface OptimizerOptions {
  readonly learningRate: number;
  /** Climb instead of descend. */
  readonly maximize: boolean;
}

/** Parameters with options of their own, as `model.parameterGroups` gives them; what `options` lacks is the optimizer's. */
export interface OptimizerGroupInput<Options extends object> {
  readonly parameters: readonly Parameter[];
  readonly options?: Partial<Options>;
}

/** A group of parameters that are updated alike. Its options may be changed between steps; schedules do. */
export interface OptimizerGroup<Options extends object> {
  readonly parameters: readonly Parameter[];
  options: Options;
  /** The rate that schedules start from; set by the first one. */
  initialLearningRate?: number;
}

/** A buffer of one parameter; null before the first update. */
export interface OptimizerBuffer {
  value: Tensor | null;
}

/** Everything an optimizer remembers, on the host. */
export interface OptimizerState {
  /** Plain JSON. */
  readonly json: {
    readonly name: string;
    /** Options of each group now, schedules' changes included. */
    readonly groups: readonly {
      readonly options: object;
      readonly initialLearningRate?: number;
      readonly parameters: number;
    }[];
    /** Updates that each parameter had. */
    readonly steps: readonly number[];
    /** Numbers that an optimizer keeps for each parameter, such as NAdam's product of momenta; absent where it has none. */
    readonly numbers?: readonly Readonly<Record<string, number>>[];
  };
  /** Buffers by `INDEX.NAME`, float32, of the parameter's shape unless the optimizer says otherwise. */
  readonly tensors: ReadonlyMap<string, StateEntry>;
}

/** What an update knows beside the values. */
export interface UpdateContext {
  /** 1 for the first update of this parameter. */
  readonly steps: number;
  readonly parameter: Parameter;
  /** Numbers that stay between the updates of this parameter and are saved with the state. */
  readonly numbers: Map<string, number>;
}

interface Slot {
  readonly parameter: Parameter;
  readonly group: OptimizerGroup<OptimizerOptions>;
  /** The parameter as what the kernels overwrite. */
  readonly target: { value: Tensor };
  readonly buffers: Map<string, OptimizerBuffer>;
  readonly numbers: Map<string, number>;
  steps: number;
}

/**
 * Changes parameters along their gradients. Updates are in place, one kernel a parameter.
 * @typeParam Options What a group may set.
 */
export abstract class Optimizer<Options extends OptimizerOptions = OptimizerOptions> {
  /** Groups in the order given. */
  readonly groups: readonly OptimizerGroup<Options>[];
  /** All parameters, group after group: the order of the gradients of {@link step}. */
  readonly parameters: readonly Parameter[];
  /** The optimizer's name in a saved state; class names do not survive bundlers. */
  protected abstract readonly kind: string;
  readonly #slots: readonly Slot[];

  protected constructor(
    parameters: readonly Parameter[] | readonly OptimizerGroupInput<Options>[],
    defaults: Options,
    options: Partial<Options>,
  ) {
    const { name } = new.target;
    const names = Object.entries(defaults).map(([key, value]) =>
      typeof value === "boolean" ? `${key}?` : key,
    );
    if (options !== undefined) assertOptionNames(name, options, names);
    assertInputs(name, parameters);
    const inputs = [...parameters];
    if (inputs.length === 0)
      throw new InputError(`${name}: expected parameters, got none; pass model.parameters()`);
    const isGroup = (input: object): input is OptimizerGroupInput<Options> => "parameters" in input;
    const groups = inputs.every(isGroup) ? inputs : [{ parameters: inputs as Parameter[] }];
    this.groups = groups.map(({ parameters: members, options: own }) => {
      if (own !== undefined) assertOptionNames(name, own, names);
      const merged = { ...defaults, ...givenOptions(options), ...givenOptions(own) };
      // a default that is not a number has to be given
      if (Number.isNaN(merged.learningRate) && (own ?? options)?.learningRate === undefined)
        throw new InputError(`${name}: expected a learningRate, got none; pass { learningRate: 0.01 }`);
      this.assertOptions(merged);
      return { parameters: [...members], options: merged };
    });
    this.parameters = this.groups.flatMap((group) => group.parameters);
    if (new Set(this.parameters).size !== this.parameters.length)
      throw new InputError(`${name}: expected each parameter in one group, got one twice`);
    this.#slots = this.groups.flatMap((group) =>
      group.parameters.map((parameter) => ({
        parameter,
        group,
        target: targetOf(parameter),
        buffers: new Map(),
        numbers: new Map(),
        steps: 0,
      })),
    );
  }

  /** @throws InputError for an option out of range. */
  protected abstract assertOptions(options: Options): void;

  /** Updates one parameter. */
  protected abstract update(
    target: { value: Tensor },
    gradient: Tensor,
    options: Options,
    buffer: (name: string) => OptimizerBuffer,
    context: UpdateContext,
  ): void;

  /** Shape of a buffer in a saved state; undefined when there is no such buffer. */
  protected bufferShape(_name: string, parameter: Parameter): Shape | undefined {
    return parameter.shape;
  }

  /** A buffer's tensor, which stays the optimizer's; null before the first update. @param index Of {@link parameters}. */
  protected bufferOf(index: number, name: string): Tensor | null {
    return this.#slots[index].buffers.get(name)?.value ?? null;
  }

  /**
   * One update of every parameter that has a gradient; the others stay as they are, without decay, as in PyTorch.
   * @param gradients One a parameter of {@link parameters}, its shape; null for none. They stay the caller's.
   * @throws InputError for another number of gradients, ShapeError for a wrong shape; nothing changes then.
   * @example
   * const weights = optimizer.parameters.map((parameter) => parameter.value);
   * const { value, grads } = valueAndGrad(() => crossEntropyLoss(model.call(x), y), weights);
   * optimizer.step(grads);
   * dispose([value, ...grads]);
   */
  step(gradients: readonly (Tensor | null)[]): void {
    const name = this.kind;
    if (!Array.isArray(gradients) || gradients.includes(undefined))
      throw new InputError(
        `${name}.step: expected an array of gradients, got something else; pass null for none`,
      );
    if (gradients.length !== this.#slots.length)
      throw new InputError(
        `${name}.step: expected ${this.#slots.length} gradients, got ${gradients.length}; pass null for none`,
      );
    this.#slots.forEach(({ parameter }, index) => {
      const shape = gradients[index]?.shape;
      if (shape !== undefined && !sameShape(shape, parameter.shape))
        throw new ShapeError(
          `${name}.step: expected a gradient of shape [${parameter.shape.join(", ")}] for parameter ${index}, got [${shape.join(", ")}]`,
        );
    });
    this.#slots.forEach((slot, index) => {
      const gradient = gradients[index];
      if (gradient === null) return;
      slot.steps++;
      const buffer = (key: string): OptimizerBuffer => {
        let found = slot.buffers.get(key);
        if (found === undefined) {
          found = { value: null };
          slot.buffers.set(key, found);
        }
        return found;
      };
      this.update(slot.target, gradient, slot.group.options as Options, buffer, slot);
      applyMask(slot.parameter);
      for (const { value } of slot.buffers.values()) if (value !== null) keep(value);
    });
  }

  /** Copies options, step counts and buffers to the host. */
  async state(): Promise<OptimizerState> {
    const json = {
      name: this.kind,
      groups: this.groups.map(({ options, initialLearningRate, parameters }) => ({
        options: { ...options },
        ...(initialLearningRate === undefined ? {} : { initialLearningRate }),
        parameters: parameters.length,
      })),
      steps: this.#slots.map((slot) => slot.steps),
      ...(this.#slots.every(({ numbers }) => numbers.size === 0)
        ? {}
        : { numbers: this.#slots.map(({ numbers }) => Object.fromEntries(numbers)) }),
    };
    const reads = this.#slots.flatMap(({ buffers }, index) =>
      [...buffers].flatMap(([name, { value }]) =>
        value === null ? [] : [readEntry(`${index}.${name}`, value)],
      ),
    );
    return { json, tensors: new Map(await Promise.all(reads)) };
  }

  /**
   * Checks that a saved state fits this optimizer, and changes nothing.
   * @throws WeightsError when it is of another optimizer, other groups or other shapes, or no state at all.
   */
  assertState(state: OptimizerState): void {
    const name = this.kind;
    const fail = (problem: string): never => {
      throw new WeightsError(`${name}.loadState: expected ${problem}`);
    };
    const { json, tensors } = (state ?? {}) as Partial<OptimizerState>;
    if (typeof json !== "object" || json === null || !(tensors instanceof Map))
      fail(`{ json, tensors } that state() gave, got ${describe(state)}`);
    const { name: savedName, groups, steps, numbers } = json as OptimizerState["json"];
    if (savedName !== name) fail(`a state of ${name}, got one of ${String(savedName)}`);
    if (
      !Array.isArray(groups) ||
      groups.some((group) => typeof group?.options !== "object" || !group.options)
    )
      fail(`groups with options, got ${describe(groups)}`);
    const saved = groups.map((group) => group.parameters);
    const present = this.groups.map((group) => group.parameters.length);
    if (saved.join() !== present.join())
      fail(`groups of ${present.join(", ")} parameters, got ${saved.join(", ")}`);
    if (
      !isListOf(steps, this.#slots.length, (count) => Number.isSafeInteger(count) && (count as number) >= 0)
    )
      fail(`a count of steps for each of ${this.#slots.length} parameters, got ${describe(steps)}`);
    const isRecord = (each: unknown): boolean =>
      typeof each === "object" && each !== null && Object.values(each).every(Number.isFinite);
    if (numbers !== undefined && !isListOf(numbers, this.#slots.length, isRecord))
      fail(`numbers for each of ${this.#slots.length} parameters, got ${describe(numbers)}`);
    groups.forEach(({ options, initialLearningRate }, index) => {
      const known = this.groups[index].options;
      const unknown = Object.keys(options).filter((key) => !(key in known));
      if (unknown.length > 0) fail(`options ${Object.keys(known).join(", ")}, got ${unknown.join(", ")}`);
      if (initialLearningRate !== undefined && !Number.isFinite(initialLearningRate))
        fail(`a finite initialLearningRate, got ${describe(initialLearningRate)}`);
      try {
        this.assertOptions({ ...known, ...(options as Partial<Options>) });
      } catch (error) {
        fail(`options in range; ${error instanceof Error ? error.message : String(error)}`);
      }
    });
    for (const [key, entry] of tensors as OptimizerState["tensors"]) this.#assertBuffer(key, entry, fail);
  }

  #assertBuffer(key: string, entry: StateEntry | undefined, fail: (problem: string) => never): void {
    const parameter = this.#slots[Number(key.split(".")[0])]?.parameter;
    const shape = parameter && this.bufferShape(key.slice(key.indexOf(".") + 1), parameter);
    if (shape === undefined || entry?.dtype !== "float32" || !sameShape(shape, entry.shape))
      fail(
        `buffers of the parameters' shapes, got ${entry?.shape === undefined ? describe(entry) : `[${entry.shape.join(", ")}]`} for ${key}`,
      );
    const size = shape!.reduce((product, length) => product * length, 1);
    if (!(entry!.values instanceof Float32Array) || entry!.values.length !== size)
      fail(`${size} values for ${key}, got ${entry!.values?.length ?? typeof entry!.values}`);
  }

  /**
   * Goes on from a saved state.
   * @throws WeightsError when it is of another optimizer, other groups or other shapes, or no state; nothing changes then.
   */
  loadState(state: OptimizerState): void {
    this.assertState(state);
    const { json, tensors } = state;
    this.#free();
    this.groups.forEach((group, index) => {
      const { options, initialLearningRate } = json.groups[index];
      group.options = { ...group.options, ...(options as Partial<Options>) };
      if (initialLearningRate === undefined) delete group.initialLearningRate;
      else group.initialLearningRate = initialLearningRate;
    });
    this.#slots.forEach((slot, index) => {
      slot.steps = json.steps[index];
      slot.numbers.clear();
      for (const [key, value] of Object.entries(json.numbers?.[index] ?? {})) slot.numbers.set(key, value);
    });
    for (const [key, { values, shape }] of tensors) {
      const split = key.indexOf(".");
      const slot = this.#slots[Number(key.slice(0, split))];
      slot.buffers.set(key.slice(split + 1), {
        value: keep(fromValues((values as Float32Array).slice(), shape, "float32")),
      });
    }
  }

  /** Frees the buffers; the parameters stay. */
  dispose(): void {
    this.#free();
  }

  #free(): void {
    for (const { buffers } of this.#slots) {
      for (const { value } of buffers.values()) dispose(value);
      buffers.clear();
    }
  }
}

/** @throws InputError unless all are parameters or all are groups of parameters. */
function assertInputs(name: string, inputs: unknown): void {
  const fail = (what: string): never => {
    throw new InputError(
      `${name}: expected an array of parameters or of { parameters, options }, got ${what}; pass model.parameters()`,
    );
  };
  if (!Array.isArray(inputs)) fail(typeof inputs);
  const list = inputs as readonly (Parameter | OptimizerGroupInput<object> | undefined)[];
  const groups = list.flatMap((input) =>
    Array.isArray((input as { parameters?: unknown })?.parameters)
      ? [input as OptimizerGroupInput<object>]
      : [],
  );
  if (groups.length > 0 && groups.length < list.length) fail("both");
  const members = groups.length > 0 ? groups.flatMap((group) => group.parameters) : list;
  if (!members.every((member) => member instanceof Parameter)) fail("something else in it");
  for (const key of groups.flatMap(Object.keys))
    if (!["parameters", "options", "names"].includes(key))
      fail(`${key} beside them: it belongs into options`);
}

async function readEntry(name: string, value: Tensor): Promise<[string, StateEntry]> {
  const { shape } = value;
  return [name, { dtype: "float32", shape, values: (await read(value)).slice() as Float32Array }];
}

function targetOf(parameter: Parameter): { value: Tensor } {
  return {
    get value() {
      return parameter.value;
    },
    set value(tensor: Tensor) {
      parameter.setValue(tensor);
    },
  };
}

/** Keeps at 0 what was pruned: momentum and decay move it even without a gradient. */
function applyMask(parameter: Parameter): void {
  const { mask } = parameter;
  if (mask !== undefined) parameter.setValue(noGrad(() => mul(parameter.value, mask.value)));
}

/** @throws InputError for a number that is not finite or below 0. */
export function assertNotNegative(operation: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!(value >= 0 && Number.isFinite(value)))
      throw new InputError(`${operation}: expected a finite ${name} of at least 0, got ${value}`);
}

/** @throws InputError unless there are two decay rates in [0, 1). */
export function assertBetas(operation: string, betas: readonly [number, number]): void {
  if (!isListOf(betas, 2, (beta) => typeof beta === "number" && beta >= 0 && beta < 1))
    throw new InputError(`${operation}: expected two betas in [0, 1), got ${String(betas)}`);
}

/** @throws InputError for a share that is not in [0, 1). */
export function assertShare(operation: string, name: string, value: number): void {
  if (!(typeof value === "number" && value >= 0 && value < 1))
    throw new InputError(`${operation}: expected ${name} in [0, 1), got ${value}`);
}
