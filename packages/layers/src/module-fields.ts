import type { AnyModule, Module } from "./module.js";
import { isPlainObject } from "./module-output.js";
import { isModule, join } from "./module-tree.js";
import { StateCounter, StoredTensor } from "./parameter.js";

/** What a module's fields may hold: found in fields, arrays and plain objects. */
type Owned = AnyModule | StoredTensor | StateCounter;

/** What a module's own fields hold, by checkpoint name, in the order of declaration. */
export function* owned(module: AnyModule): Generator<[name: string, value: Owned]> {
  const names = (module.constructor as typeof Module).checkpointNames;
  for (const [field, value] of Object.entries(module)) yield* ownedIn(names[field] ?? field, value);
}

function* ownedIn(name: string, value: unknown): Generator<[name: string, value: Owned]> {
  if (value instanceof StoredTensor && value.derived) {
    for (const [suffix, part] of Object.entries(value.storedParts ?? {})) yield [name + suffix, part];
    return;
  }
  if (isModule(value) || value instanceof StoredTensor || value instanceof StateCounter)
    yield [name, value as Owned];
  else if (Array.isArray(value) || isPlainObject(value))
    for (const [key, element] of Object.entries(value)) yield* ownedIn(join(name, key), element);
}
