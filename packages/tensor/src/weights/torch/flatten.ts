import { WeightsError } from "../../errors.js";
import { TensorReference } from "./meaning.js";
import { describeValue, PickleDict, PickleGlobal, PickleMade, type PickleValue } from "./pickle-values.js";

/** A plain value beside the tensors of a checkpoint, such as `epoch`. */
export type CheckpointValue = null | boolean | number | bigint | string;

/** Tensors and plain values by name: the keys of the dicts on the way, joined with dots. */
export interface FlatCheckpoint {
  readonly tensors: Map<string, TensorReference>;
  readonly values: Map<string, CheckpointValue>;
}

const MAX_DEPTH = 100;
/** Pieces of a checkpoint, however often they are shared: real ones have some thousands. */
const MOST_PIECES = 1_000_000;
const MOST_NAME_CHARACTERS = 10_000;

/** The value under keys joined with dots; each key may have dots itself. */
function within(file: string, root: PickleValue, path: string): PickleValue {
  if (path === "") return root;
  const keys: string[] = [];
  if (root instanceof PickleDict || Array.isArray(root))
    for (const [key, value] of childrenOf(root)) {
      if (key === path) return value;
      if (path.startsWith(`${key}.`)) return within(file, value, path.slice(key.length + 1));
      keys.push(key);
    }
  throw new WeightsError(
    `${file}: expected the key ${JSON.stringify(path)} in the checkpoint, got ${keys.length === 0 ? describeValue(root) : `the keys ${keys.slice(0, 10).join(", ")}${keys.length > 10 ? " …" : ""}`}`,
  );
}

function* childrenOf(value: PickleDict | PickleValue[]): Iterable<[string, PickleValue]> {
  if (Array.isArray(value)) for (const [index, item] of value.entries()) yield [String(index), item];
  else
    for (const [key, item] of value.entries)
      yield [
        typeof key === "string"
          ? key
          : Array.isArray(key)
            ? key.map(describeValue).join("_")
            : describeValue(key),
        item,
      ];
}

/**
 * Names everything in a checkpoint.
 * @param key Where to begin, such as `state_dict`; its own name is left out then.
 * @throws WeightsError for a name given twice, nesting without end, a `key` that does not exist.
 */
export function flatten(file: string, root: PickleValue, key: string): FlatCheckpoint {
  const tensors = new Map<string, TensorReference>();
  const values = new Map<string, CheckpointValue>();
  let pieces = 0;
  let characters = 0;
  const add = <Value>(into: Map<string, Value>, name: string, value: Value): void => {
    if (tensors.has(name) || values.has(name))
      throw new WeightsError(
        `${file}: expected ${JSON.stringify(name)} once in the checkpoint, got it twice`,
      );
    into.set(name, value);
  };
  const visit = (name: string, value: PickleValue, depth: number): void => {
    characters += name.length;
    if (
      ++pieces > MOST_PIECES ||
      characters > 32 * MOST_PIECES ||
      depth > MAX_DEPTH ||
      name.length > MOST_NAME_CHARACTERS
    )
      throw new WeightsError(
        `${file}: expected a checkpoint of at most ${MOST_PIECES} values, ${MAX_DEPTH} deep, got more at ${JSON.stringify(name.slice(0, 100))}; the file is damaged`,
      );
    if (value instanceof TensorReference) add(tensors, name, value);
    else if (value instanceof PickleDict || Array.isArray(value))
      for (const [key, item] of childrenOf(value))
        visit(name === "" ? key : `${name}.${key}`, item, depth + 1);
    else if (value instanceof PickleGlobal || value instanceof PickleMade || value instanceof Uint8Array)
      return; // a dtype, a storage, bytes: nothing that has a place in a model
    else add(values, name, value);
  };
  visit("", within(file, root, key), 0);
  return { tensors, values };
}
