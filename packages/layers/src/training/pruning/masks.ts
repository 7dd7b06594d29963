import { InputError, mul, noGrad, read, tensor } from "@ai/tensor";
import { LoraAdapter } from "../../adapters/lora-adapter.js";
import { Embedding } from "../../embedding.js";
import { EmbeddingBag } from "../../embedding-bag.js";
import { type AnyModule, Module } from "../../module.js";
import { type Parameter, StateTensor } from "../../parameter.js";

/** A parameter with the module whose field it is. */
export interface OwnedParameter {
  /** Path of the parameter in the model. */
  readonly path: string;
  /** Its name in the module. */
  readonly name: string;
  readonly module: AnyModule;
  readonly parameter: Parameter;
}

/** What masks are called in checkpoints, behind the parameter's name: PyTorch's. */
const SUFFIX = "_mask";

/** All parameters of a model that are stored, each once. */
export function ownedParameters(operation: string, model: AnyModule): OwnedParameter[] {
  if (!(model instanceof Module))
    throw new InputError(`${operation}: expected a module as model, got ${typeof model}`);
  const paths = new Map(model.namedParameters().map(([path, parameter]) => [parameter, path]));
  return model.namedModules().flatMap(([prefix, module]) =>
    module.ownParameters().flatMap((parameter) => {
      const path = paths.get(parameter);
      if (path === undefined) return [];
      paths.delete(parameter);
      return [{ path, name: prefix === "" ? path : path.slice(prefix.length + 1), module, parameter }];
    }),
  );
}

/** What is no weight to prune unless a predicate says so: tables, and adapters, which start as zeros. */
const LEFT = [Embedding, EmbeddingBag, LoraAdapter] as const;

/** Weights that are pruned unless a predicate says otherwise: those of two axes or more, tables and adapters excepted. */
function isWeight({ module, parameter }: OwnedParameter): boolean {
  return parameter.shape.length >= 2 && !LEFT.some((Kind) => (module as unknown) instanceof Kind);
}

/** The parameters that a predicate picks. @throws InputError when there are none. */
export function pickParameters(
  operation: string,
  model: AnyModule,
  predicate: ((path: string, parameter: Parameter) => boolean) | undefined,
): OwnedParameter[] {
  if (predicate !== undefined && typeof predicate !== "function")
    throw new InputError(`${operation}: expected a function as predicate, got ${typeof predicate}`);
  const owned = ownedParameters(operation, model);
  const picked = owned.filter((entry) => predicate?.(entry.path, entry.parameter) ?? isWeight(entry));
  if (picked.length === 0)
    throw new InputError(
      `${operation}: expected weights to prune, got none that the predicate takes; there are ${owned.map(({ path }) => path).join(", ")}`,
    );
  return picked;
}

/** @throws InputError unless `amount` is a share in [0, 1). */
export function assertAmount(operation: string, amount: unknown): asserts amount is number {
  if (typeof amount !== "number" || !(amount >= 0 && amount < 1))
    throw new InputError(
      `${operation}: expected amount in [0, 1), the share to prune, got ${String(amount)}`,
    );
}

/** As Python rounds: halves to even. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Values and mask of a parameter on the host; a mask of ones where there is none. */
export async function readPruned({
  parameter,
}: OwnedParameter): Promise<{ values: Float32Array; mask: Float32Array }> {
  const [values, mask] = await Promise.all([
    read(parameter.value),
    parameter.mask === undefined ? undefined : read(parameter.mask.value),
  ]);
  return {
    values: Float32Array.from(values),
    mask: mask === undefined ? new Float32Array(values.length).fill(1) : Float32Array.from(mask),
  };
}

/** Gives a parameter a mask, as a state of its module, and sets what it leaves out to 0. @param values `parameter.shape`, 1 and 0 */
export function setMask({ module, name, parameter }: OwnedParameter, values: Float32Array): void {
  const { shape, checkpointPermutation } = parameter;
  if (parameter.mask === undefined) {
    const mask = new StateTensor(shape, {
      initializer: (size) => tensor(new Float32Array(values.length).fill(1), size),
      ...(checkpointPermutation && { checkpointPermutation }),
    });
    const field = name + SUFFIX;
    if (field in module)
      throw new InputError(
        `pruning: expected a module without a field ${field}, got one in ${module.constructor.name}; masks are kept there`,
      );
    // a field is part of the state, so that checkpoints hold the mask
    Object.assign(module, { [field]: mask });
    parameter.mask = mask;
  }
  parameter.mask.setValue(tensor(values, shape));
  const { mask } = parameter;
  parameter.setValue(noGrad(() => mul(parameter.value, mask.value)));
}

/** Takes a parameter's mask away; its zeros stay. */
export function removeMask({ module, name, parameter }: OwnedParameter): void {
  parameter.mask?.dispose();
  parameter.mask = undefined;
  delete (module as unknown as Record<string, unknown>)[name + SUFFIX];
}
