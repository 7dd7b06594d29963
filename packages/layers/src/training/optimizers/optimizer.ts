import {
  dispose,
  fromValues,
  InputError,
  keep,
  read,
  ShapeError,
  type Tensor,
  WeightsError,
} from "@ai/tensor";
import { Parameter } from "../../parameter.js";
import type { StateEntry } from "../../state-dict.js";

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
  };
  /** Buffers by `INDEX.NAME`, the parameter's shape, float32. */
  readonly tensors: ReadonlyMap<string, StateEntry>;
}

interface Slot {
  readonly parameter: Parameter;
  readonly group: OptimizerGroup<OptimizerOptions>;
  /** The parameter as what the kernels overwrite. */
  readonly target: { value: Tensor };
  readonly buffers: Map<string, OptimizerBuffer>;
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
    assertInputs(name, parameters);
    const inputs = [...parameters];
    if (inputs.length === 0)
      throw new InputError(`${name}: expected parameters, got none; pass model.parameters()`);
    const isGroup = (input: object): input is OptimizerGroupInput<Options> => "parameters" in input;
    const groups = inputs.every(isGroup) ? inputs : [{ parameters: inputs as Parameter[] }];
    this.groups = groups.map(({ parameters: members, options: own }) => {
      const merged = { ...defaults, ...options, ...own };
      const unknown = Object.keys(merged).filter((key) => !(key in defaults));
      if (unknown.length > 0)
        throw new InputError(
          `${name}: expected options ${Object.keys(defaults).join(", ")}, got ${unknown.join(", ")}`,
        );
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
        steps: 0,
      })),
    );
  }

  /** @throws InputError for an option out of range. */
  protected abstract assertOptions(options: Options): void;

  /** Updates one parameter. @param steps 1 for its first update. */
  protected abstract update(
    target: { value: Tensor },
    gradient: Tensor,
    options: Options,
    buffer: (name: string) => OptimizerBuffer,
    steps: number,
  ): void;

  /**
   * One update of every parameter that has a gradient; the others stay as they are, without decay, as in PyTorch.
   * @param gradients One a parameter of {@link parameters}, its shape; null for none. They stay the caller's.
   * @throws InputError for another number of gradients, ShapeError for a wrong shape; nothing changes then.
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
      this.update(slot.target, gradient, slot.group.options as Options, buffer, slot.steps);
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
    };
    const reads = this.#slots.flatMap(({ buffers }, index) =>
      [...buffers].flatMap(([name, { value }]) =>
        value === null ? [] : [readEntry(`${index}.${name}`, value)],
      ),
    );
    return { json, tensors: new Map(await Promise.all(reads)) };
  }

  /**
   * Goes on from a saved state.
   * @throws WeightsError when it is of another optimizer, other groups or other shapes; nothing changes then.
   */
  loadState({ json, tensors }: OptimizerState): void {
    const name = this.kind;
    if (json?.name !== name)
      throw new WeightsError(`${name}.loadState: expected a state of ${name}, got one of ${json?.name}`);
    const saved = json.groups.map((group) => group.parameters);
    const present = this.groups.map((group) => group.parameters.length);
    if (saved.join() !== present.join() || json.steps.length !== this.#slots.length)
      throw new WeightsError(
        `${name}.loadState: expected groups of ${present.join(", ")} parameters, got ${saved.join(", ")}`,
      );
    for (const [key, entry] of tensors) {
      const shape = this.#slots[Number(key.split(".")[0])]?.parameter.shape;
      if (shape === undefined || entry.dtype !== "float32" || !sameShape(shape, entry.shape))
        throw new WeightsError(
          `${name}.loadState: expected buffers of the parameters' shapes, got [${entry.shape.join(", ")}] for ${key}`,
        );
    }
    this.#free();
    this.groups.forEach((group, index) => {
      const { options, initialLearningRate } = json.groups[index];
      group.options = { ...group.options, ...(options as Partial<Options>) };
      if (initialLearningRate === undefined) delete group.initialLearningRate;
      else group.initialLearningRate = initialLearningRate;
    });
    this.#slots.forEach((slot, index) => {
      slot.steps = json.steps[index];
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

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
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

/** @throws InputError for a number that is not finite or below 0. */
export function assertNotNegative(operation: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values))
    if (!(value >= 0 && Number.isFinite(value)))
      throw new InputError(`${operation}: expected a finite ${name} of at least 0, got ${value}`);
}
