import {
  currentLayer,
  type DeviceName,
  defaultGenerator,
  moveTo,
  RandomGenerator,
  type ReadOptions,
  readSafetensors,
  type Shape,
  saveSafetensors,
  type Tensor,
  tidy,
  type WeightsSource,
  type WriteOptions,
  withinLayer,
} from "@ai/tensor";
import { assertNothing } from "./checks.js";
import { nameLayer } from "./layer-error.js";
import { owned } from "./module-fields.js";
import type { ForwardHook, ForwardPreHook } from "./module-hooks.js";
import { detach, isPlainObject } from "./module-output.js";
import { assertFindable, describeTree, join, relative } from "./module-tree.js";
import { Parameter, StateCounter, StateTensor, StoredTensor } from "./parameter.js";
import { groupParameters, type ParameterGroup, type ParameterGroupRule } from "./parameter-groups.js";
import { type HalfPrecision, halfPrecision } from "./quantization/half-precision.js";
import {
  collectStateDict,
  type LoadOptions,
  type LoadReport,
  loadIntoTargets,
  type StateDict,
  type StateTarget,
} from "./state-dict.js";
import { type InputDescription, type ModuleSummary, summarize } from "./summary.js";
import { assertOptionNames } from "./training/option-names.js";

/** Options of {@link Module.save}. */
export interface SaveOptions extends WriteOptions {
  /** How float32 numbers are stored. Default as they are. */
  readonly dtype?: HalfPrecision;
}

/** A module of any inputs and output. */
export type AnyModule = Module<readonly unknown[], unknown>;

export type { ForwardHook, ForwardPreHook } from "./module-hooks.js";

let active: AnyModule | undefined;

/**
 * A layer or a model: its fields are submodules and parameters (also in arrays and plain objects), and `forward` computes.
 * What stands in `#private` fields, a Map, a Set or other objects is not found: it is not trained, saved or moved.
 *
 * A field's name is its name in checkpoints, unless {@link Module.checkpointNames} says otherwise. Parameters get their
 * values at the first call, at `parameters()`, `stateDict()` or on load, drawn from the seed of the default generator
 * and the parameter's path alone: two models of one structure start equal; {@link Module.initialize} draws others.
 * @typeParam Inputs What `call` takes. @typeParam Output What it returns: tensors, alone or in arrays and plain objects.
 * @example
 * class Classifier extends Module<[x: Tensor], Tensor> {
 *   readonly hidden = new Linear(784, 128);
 *   readonly output = new Linear(128, 10);
 *   protected forward(x: Tensor) { return this.output.call(relu(this.hidden.call(x))); }
 * }
 */
export abstract class Module<Inputs extends readonly unknown[] = [Tensor], Output = Tensor> {
  /** Checkpoint names of fields that are called otherwise there; `""` leaves the field's own name out of the path. */
  static readonly checkpointNames: Readonly<Record<string, string>> = {};
  /** Names of the parameters of this class itself that `quantizeModel` may round, as in checkpoints. Default none. */
  static readonly quantizableWeights: RegExp | undefined = undefined;

  /** Whether layers such as dropout and batch norm behave as in training. Set by {@link train} and {@link eval}. */
  training = true;
  #path = "";
  #root: AnyModule | undefined;
  readonly #preHooks = new Set<ForwardPreHook>();
  readonly #hooks = new Set<ForwardHook>();

  constructor();
  /** @throws InputError for arguments: a class without a constructor hands on what it was given, and nothing would read it. */
  constructor(...given: readonly unknown[]) {
    assertNothing(new.target.name, given);
  }

  /** Computes the output; every tensor it makes and does not return is freed. Call it through {@link call}. */
  protected abstract forward(...inputs: Inputs): Output;

  /**
   * Runs the module: hooks, then `forward`. The caller owns the result; all else is freed.
   * @throws the error of the failing layer, its path in front of the message and the original as `cause`.
   */
  call(...inputs: Inputs): Output {
    const caller = active;
    if ((caller === undefined || this.#root !== caller.#root) && !this.#isPrepared()) this.#prepare();
    const name =
      caller !== undefined && this.#root === caller.#root
        ? relative(caller.#path, this.#path)
        : this.constructor.name;
    active = this as unknown as AnyModule;
    try {
      return withinLayer(name, () => {
        try {
          return tidy(() => this.#run(inputs));
        } catch (error) {
          throw nameLayer(error, currentLayer());
        }
      });
    } finally {
      active = caller;
    }
  }

  #run(given: Inputs): Output {
    const self = this as unknown as AnyModule;
    let inputs = given;
    for (const hook of this.#preHooks) inputs = (hook(self, inputs) ?? inputs) as Inputs;
    let output = this.forward(...inputs);
    for (const hook of this.#hooks) output = (hook(self, inputs, output) ?? output) as Output;
    return detach(output, given);
  }

  /** Runs `hook` before each call. @returns a function that removes it. */
  registerForwardPreHook(hook: ForwardPreHook<Inputs>): () => void {
    const entry: ForwardPreHook = (module, inputs) => hook(module, inputs as Inputs);
    this.#preHooks.add(entry);
    return () => this.#preHooks.delete(entry);
  }

  /** Runs `hook` after each call, inside its memory scope: `keep` what should outlive it. @returns a function that removes it. */
  registerForwardHook(hook: ForwardHook<Inputs, Output>): () => void {
    const entry: ForwardHook = (module, inputs, output) => hook(module, inputs as Inputs, output as Output);
    this.#hooks.add(entry);
    return () => this.#hooks.delete(entry);
  }

  /** Whether hooks see its calls: then it must run as it is written. */
  get isObserved(): boolean {
    return this.#preHooks.size + this.#hooks.size > 0;
  }

  /** Submodules that are fields of this one, by checkpoint name. */
  namedChildren(): [name: string, module: AnyModule][] {
    return [...owned(this as unknown as AnyModule)].filter(
      (entry): entry is [string, AnyModule] => entry[1] instanceof Module,
    );
  }

  /** This module (named `""`) and all below it, depth first, each once, by path. */
  namedModules(): [path: string, module: AnyModule][] {
    const found = new Map<AnyModule, string>();
    const visit = (module: AnyModule, path: string): void => {
      if (found.has(module)) return;
      found.set(module, path);
      for (const [name, child] of module.namedChildren()) visit(child, join(path, name));
    };
    visit(this as unknown as AnyModule, "");
    return [...found].map(([module, path]) => [path, module]);
  }

  /** All parameters, each once, by path; their values are there afterwards. */
  namedParameters(): [path: string, parameter: Parameter][] {
    this.#ensureValues();
    const seen = new Set<Parameter>();
    return this.#targets().filter((entry): entry is [string, Parameter] => {
      const [, target] = entry;
      if (!(target instanceof Parameter) || seen.has(target)) return false;
      seen.add(target);
      return true;
    });
  }

  /** All parameters, each once; their values are there afterwards. */
  parameters(): Parameter[] {
    return this.namedParameters().map(([, parameter]) => parameter);
  }

  /** All state tensors, such as running statistics, each once; their values are there afterwards. */
  buffers(): StateTensor[] {
    this.#ensureValues();
    const all = this.#targets().flatMap(([, target]) => (target instanceof StateTensor ? [target] : []));
    return [...new Set(all)];
  }

  /**
   * Splits the parameters for an optimizer: each goes to the first rule that matches it, the rest to a last group without options.
   * @throws InputError for a rule that matches nothing.
   * @example
   * const groups = model.parameterGroups([{ match: (name) => name.endsWith("bias"), options: { weightDecay: 0 } }]);
   */
  parameterGroups<Options extends object>(
    rules: readonly ParameterGroupRule<Options>[],
  ): ParameterGroup<Options>[] {
    return groupParameters(this.namedParameters(), rules);
  }

  /** Parameters that are fields of this very module, without those of its submodules. */
  ownParameters(): Parameter[] {
    return this.ownNamedParameters().map(([, parameter]) => parameter);
  }

  /** {@link ownParameters} by their names in checkpoints. */
  ownNamedParameters(): [name: string, parameter: Parameter][] {
    return [...owned(this as unknown as AnyModule)].filter(
      (entry): entry is [string, Parameter] => entry[1] instanceof Parameter,
    );
  }

  /** Freezes (`false`) or thaws every parameter. @returns this module. */
  requiresGrad(value = true): this {
    for (const [, target] of this.#targets()) if (target instanceof Parameter) target.requiresGrad = value;
    return this;
  }

  /** Training behaviour for this module and all below, or evaluation with `false`. @returns this module. */
  train(training = true): this {
    for (const [, module] of this.namedModules()) module.training = training;
    // what evaluation derived from the parameters is stale after the next step
    if (training)
      for (const [, target] of this.#targets()) if (target instanceof StoredTensor) target.releaseDerived();
    return this;
  }

  /** Evaluation behaviour for this module and all below. @returns this module. */
  eval(): this {
    return this.train(false);
  }

  /** Calls `fn` with every module below and then this one, children first. @returns this module. */
  apply(fn: (module: AnyModule) => void): this {
    for (const [, module] of this.namedModules().reverse()) fn(module);
    return this;
  }

  /** Draws all parameters and state anew. @param options `seed`: whose numbers, the default generator's when left out. @returns this module. */
  initialize(options: { readonly seed?: number } = {}): this {
    assertOptionNames(`${this.constructor.name}.initialize`, options, ["seed"]);
    const { seed } = options;
    this.#prepare(seed === undefined ? defaultGenerator() : new RandomGenerator(seed), true);
    return this;
  }

  /**
   * All parameters and state under PyTorch's names, in its layouts and dtypes (counters are int64), copied to the host.
   * A parameter that two fields share is listed under both names, as there.
   */
  async stateDict(): Promise<StateDict> {
    this.#ensureValues();
    return collectStateDict(this.#targets());
  }

  /**
   * Sets all parameters and state from values under PyTorch's names and in its layouts. Nothing changes when it throws.
   * @param options `strict: false` permits missing and unused names; shapes and dtypes must fit all the same.
   * @returns the missing and unused names (none when strict).
   * @throws WeightsError that lists every missing, unused, mis-shaped and mistyped name.
   */
  loadStateDict(state: StateDict, options: LoadOptions = {}): LoadReport {
    const report = loadIntoTargets(this.constructor.name, this.#targets(), state, options);
    this.#ensureValues();
    return report;
  }

  /**
   * Writes {@link Module.stateDict} to a safetensors file (Node), all or nothing. PyTorch loads it with `strict=True`.
   * @param options `dtype`: `"F16"` or `"BF16"` store half the bytes, {@link Module.load} makes float32 of them;
   * `metadata`: text to store beside the tensors; `signal` aborts.
   * @throws WeightsError when the file cannot be written or F16 has no place for a number; InputError in a browser: there,
   * `writeSafetensors(await module.stateDict())`.
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    assertOptionNames(`${this.constructor.name}.save`, options, ["dtype", "metadata", "signal"]);
    const { dtype, metadata, signal } = options;
    const state = await this.stateDict();
    const tensors = dtype === undefined ? state : halfPrecision(state, dtype);
    // Hugging Face refuses a file without a format
    await saveSafetensors(path, tensors, { metadata: { format: "pt", ...metadata }, signal });
  }

  /**
   * Reads a safetensors file and passes it to {@link Module.loadStateDict}.
   * @param source A path of a file or a model folder (Node), a URL, a `Blob` or bytes.
   * @param options `strict` as there; `signal` aborts.
   * @throws WeightsError for a damaged file or names and shapes that do not fit, DownloadError when a server does not give it.
   */
  async load(source: WeightsSource, options: LoadOptions & ReadOptions = {}): Promise<LoadReport> {
    assertOptionNames(`${this.constructor.name}.load`, options, ["strict?", "signal"]);
    const { signal, ...others } = options;
    const file = await readSafetensors(source, { signal });
    return this.loadStateDict(await file.hosts({ signal }), others);
  }

  /**
   * Layers, output shapes, parameters and multiply-adds, found by running zeros through in evaluation mode.
   * @param inputs Shapes of the inputs, batch axis included; `{ shape, dtype }` for one that is not float32.
   * @example
   * console.log(String(model.summary([1, 28, 28, 1])));
   */
  summary(...inputs: (Shape | InputDescription)[]): ModuleSummary {
    return summarize(this as unknown as AnyModule, inputs);
  }

  /** The tree of layers with the shapes of their parameters; `console.log(model)` shows it in Node. */
  toString(): string {
    return describeTree(this as unknown as AnyModule);
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  /** Multiply-adds of one call of this layer without those of its submodules; what has none keeps this 0. */
  multiplyAdds(_inputs: Inputs, _output: Output): number {
    return 0;
  }

  /** Copies all parameters and state to a device that has been used before; the device in use when none is named. */
  async moveTo(device?: DeviceName): Promise<this> {
    const stored = new Set(
      this.#targets().flatMap(([, target]) =>
        target instanceof StoredTensor && target.hasValue ? [target] : [],
      ),
    );
    const moved = await Promise.all([...stored].map((target) => moveTo(target.value, device)));
    [...stored].forEach((target, index) => {
      target.setValue(moved[index]);
    });
    return this;
  }

  /** Frees all parameters and state. The module cannot be called afterwards; disposing twice does nothing. */
  dispose(): void {
    for (const [, target] of this.#targets()) if (target instanceof StoredTensor) target.dispose();
  }

  /** Everything that a checkpoint holds, by path; shared tensors under each of their names. */
  #targets(): [path: string, target: StateTarget][] {
    assertFindable(this as unknown as AnyModule);
    const found: [string, StateTarget][] = [];
    const visit = (module: AnyModule, path: string): void => {
      for (const [name, value] of owned(module)) {
        if (value instanceof Module) visit(value, join(path, name));
        else found.push([join(path, name), value]);
      }
    };
    visit(this as unknown as AnyModule, "");
    return found;
  }

  /** Draws what is missing. During a call nothing is, and the paths stay those of the model that is running. */
  #ensureValues(): void {
    if (this.#targets().some(([, target]) => target instanceof StoredTensor && target.needsValue))
      this.#prepare();
  }

  /** Whether every module below belongs to this one and has its values: a walk without names or copies, as each call begins with it. */
  #isPrepared(): boolean {
    const seen = new Set<object>();
    const isReady = (value: unknown): boolean => {
      if (typeof value !== "object" || value === null) return true;
      if (value instanceof StoredTensor) return !value.needsValue;
      if (Array.isArray(value)) {
        for (const element of value) if (!isReady(element)) return false;
        return true;
      }
      if (#root in value) {
        if (value.#root !== this) return false;
        if (seen.has(value)) return true;
        seen.add(value);
      } else if (!isPlainObject(value)) return true;
      const fields = value as Readonly<Record<string, unknown>>;
      for (const name in fields) if (!isReady(fields[name])) return false;
      return true;
    };
    return isReady(this);
  }

  /** Tells every module below its path from here, and draws the values that are not there yet. */
  #prepare(generator = defaultGenerator(), redraw = false): void {
    assertFindable(this as unknown as AnyModule);
    const drawn = new Set<StateTarget>();
    for (const [path, module] of this.namedModules()) {
      module.#path = path;
      module.#root = this as unknown as AnyModule;
      for (const [name, target] of owned(module)) {
        if (target instanceof Module || drawn.has(target)) continue;
        drawn.add(target);
        if (target instanceof StateCounter) {
          if (redraw) target.reset();
        } else if (redraw || target.needsValue) target.initialize(generator.fork(join(path, name)));
      }
    }
  }
}
