/** A name that a pickle imports; it stands for itself, nothing is ever run. */
export class PickleGlobal {
  constructor(readonly path: string) {}
}

/** A dict, in order. Keys are as Python's, so `__proto__` is a key like any other. */
export class PickleDict {
  #entries: Map<PickleValue, PickleValue> | undefined;

  set(key: PickleValue, value: PickleValue): void {
    // most dicts of a hostile file would be empty: they cost nothing
    this.#entries ??= new Map();
    this.#entries.set(key, value);
  }

  get(key: PickleValue): PickleValue | undefined {
    return this.#entries?.get(key);
  }

  get entries(): Iterable<[PickleValue, PickleValue]> {
    return this.#entries ?? [];
  }
}

/** What an allowed function made: a tensor's description, a storage. Its class says what it is. */
export abstract class PickleMade {
  abstract readonly kind: string;
}

/** What a pickle gives: lists, tuples and sets are arrays. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleDict
  | PickleGlobal
  | PickleMade;

/** What a value is called in errors. */
export function describeValue(value: PickleValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "None";
  if (Array.isArray(value)) return "a list";
  if (value instanceof Uint8Array) return "bytes";
  if (value instanceof PickleDict) return "a dict";
  if (value instanceof PickleGlobal) return value.path;
  if (value instanceof PickleMade) return value.kind;
  return typeof value === "string" ? JSON.stringify(value.slice(0, 100)) : String(value);
}
