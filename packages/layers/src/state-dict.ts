import {
  type HostEntry,
  InputError,
  noGrad,
  read,
  type Shape,
  type Tensor,
  tensor,
  WeightsError,
} from "@ai/tensor";
import { StateCounter, type StoredTensor } from "./parameter.js";
import { assertOptionNames } from "./training/option-names.js";

/** Values of one entry of a checkpoint on the host, in PyTorch's layout. */
export type StateEntry = HostEntry;

/** Parameters and state of a module by path. */
export type StateDict = ReadonlyMap<string, StateEntry>;

/** What an entry is loaded into and saved from. */
export type StateTarget = StoredTensor | StateCounter;

/** Options of `loadStateDict`. */
export interface LoadOptions {
  /** Whether every name must be on both sides. Default true. */
  readonly strict?: boolean;
}

/** Names that did not meet; both lists are empty after a strict load. */
export interface LoadReport {
  /** Names of the module that the checkpoint lacks: their values are unchanged. */
  readonly missing: readonly string[];
  /** Names of the checkpoint that the module lacks. */
  readonly unused: readonly string[];
}

/** Reorders axes on the host. @param values of `shape`, row-major. @returns values of `permutation.map((axis) => shape[axis])` */
function permuteValues<Values extends StateEntry["values"]>(
  values: Values,
  shape: Shape,
  permutation: readonly number[],
): Values {
  const strides = shape.map((_, axis) =>
    shape.slice(axis + 1).reduce((product, length) => product * length, 1),
  );
  const outer = permutation.map((axis) => ({ length: shape[axis], stride: strides[axis] }));
  const result = values.slice() as Values;
  let next = 0;
  const copy = (axis: number, offset: number): void => {
    const { length, stride } = outer[axis];
    for (let index = 0; index < length; index++) {
      if (axis === outer.length - 1) result[next++] = values[offset + index * stride];
      else copy(axis + 1, offset + index * stride);
    }
  };
  if (outer.length > 0 && values.length > 0) copy(0, 0);
  return result;
}

function inverse(permutation: readonly number[]): number[] {
  return permutation.map((_, axis) => permutation.indexOf(axis));
}

/** Copies what the targets hold to the host. Every read is started before the first wait: one moment in time. */
export async function collectStateDict(
  targets: readonly (readonly [string, StateTarget])[],
): Promise<StateDict> {
  const entries = targets.map(async ([path, target]): Promise<[string, StateEntry]> => {
    if (target instanceof StateCounter)
      return [path, { dtype: "int64", shape: [], values: BigInt64Array.of(BigInt(target.value)) }];
    const { shape, checkpointShape, checkpointPermutation, dtype } = target;
    const values = await read(target.value);
    const ordered =
      checkpointPermutation === undefined
        ? values.slice()
        : permuteValues(values, shape, checkpointPermutation);
    return [path, { dtype, shape: checkpointShape, values: ordered } as StateEntry];
  });
  return new Map(await Promise.all(entries));
}

/** Why an entry does not fit a target, or undefined when it does. */
function misfit(target: StateTarget, entry: StateEntry): string | undefined {
  if (!Array.isArray(entry?.shape) || !ArrayBuffer.isView(entry.values))
    return `expected { dtype, shape, values } with values in a typed array, got ${typeof (entry as { dataId?: unknown } | undefined)?.dataId === "object" ? "a tensor: read its values first" : "something else"}`;
  const { shape, dtype, values } = entry;
  const expectedShape = target instanceof StateCounter ? [] : target.checkpointShape;
  const expectedType = target instanceof StateCounter ? "int64" : target.dtype;
  const integers = (type: string): boolean => type === "int32" || type === "int64";
  if (shape.length !== expectedShape.length || shape.some((length, axis) => length !== expectedShape[axis]))
    return `expected shape [${expectedShape.join(", ")}], got [${shape.join(", ")}]`;
  if (dtype !== expectedType && !(integers(dtype) && integers(expectedType)))
    return `expected ${expectedType}, got ${dtype}`;
  const size = shape.reduce((product, length) => product * length, 1);
  if (values.length !== size)
    return `expected ${size} values for shape [${shape.join(", ")}], got ${values.length}`;
  return undefined;
}

function list(title: string, names: readonly string[]): string[] {
  return names.length === 0 ? [] : [`${title}: ${names.join(", ")}`];
}

/** What was given in a Map's place, and the cure. */
function notAMap(state: unknown): string {
  if (typeof state !== "object" || state === null) return state === null ? "null" : typeof state;
  if (typeof (state as { then?: unknown }).then === "function") return "a promise; await it";
  return "an object; pass new Map(Object.entries(state))";
}

/** What stands before every unused name that is missing without it, such as "module."; undefined when there is no such text. */
function prefixOf(unused: readonly string[], missing: readonly string[]): string | undefined {
  const first = unused.find((name) => name.endsWith(`.${missing[0]}`));
  if (missing.length === 0 || first === undefined) return undefined;
  const prefix = first.slice(0, first.length - missing[0].length);
  const names = new Set(unused);
  const fits =
    missing.every((name) => names.has(prefix + name)) && unused.every((name) => name.startsWith(prefix));
  return fits ? prefix : undefined;
}

/** Checks all entries, then sets all targets: nothing changes when one does not fit. */
export function loadIntoTargets(
  module: string,
  targets: readonly (readonly [string, StateTarget])[],
  state: StateDict,
  options: LoadOptions,
): LoadReport {
  assertOptionNames(`${module}.loadStateDict`, options, ["strict?"]);
  const { strict = true } = options;
  if (!(state instanceof Map))
    throw new InputError(
      `${module}.loadStateDict: expected a Map from names to entries, got ${notAMap(state)}`,
    );
  const known = new Set(targets.map(([path]) => path));
  // checkpoints from before PyTorch 0.4.1 have no counters at all, and PyTorch loads them strictly too
  const counters = new Set(
    targets.flatMap(([path, target]) => (target instanceof StateCounter ? [path] : [])),
  );
  const isUncounted = [...counters].every((path) => !state.has(path));
  const missing = [...known].filter((path) => !state.has(path) && !(isUncounted && counters.has(path)));
  const unused = [...state.keys()].filter((path) => !known.has(path));
  const wrong = targets.flatMap(([path, target]) => {
    const entry = state.get(path);
    const reason = entry === undefined ? undefined : misfit(target, entry);
    return reason === undefined ? [] : [`${path} (${reason})`];
  });
  const problems = [
    ...(strict ? [...list("missing", missing), ...list("unused", unused)] : []),
    ...list("mis-shaped or mistyped", wrong),
  ];
  if (problems.length > 0) {
    const prefix = prefixOf(unused, missing);
    const fix =
      prefix !== undefined
        ? `; the names fit without "${prefix}": cut it off, for example with mapWeights`
        : strict && missing.length + unused.length > 0
          ? "; rename them, or pass { strict: false } for missing and unused ones"
          : "";
    throw new WeightsError(
      `${module}.loadStateDict: expected the names and shapes of this module, got ${problems.join("; ")}${fix}`,
    );
  }
  noGrad(() => {
    for (const [path, target] of targets) {
      const entry = state.get(path);
      if (entry === undefined) continue;
      if (target instanceof StateCounter) target.value = Number(entry.values[0]);
      else target.setValue(toTensor(target, entry));
    }
  });
  return { missing, unused };
}

function toTensor(target: StoredTensor, { shape, values }: StateEntry): Tensor {
  const { checkpointPermutation } = target;
  const ordered =
    checkpointPermutation === undefined
      ? values
      : permuteValues(values, shape, inverse(checkpointPermutation));
  const numbers = ordered instanceof BigInt64Array ? Int32Array.from(ordered, Number) : ordered;
  return tensor(numbers, target.shape, target.dtype);
}
