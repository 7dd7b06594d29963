import { type AnyModule, Module } from "../module.js";
import { isPlainObject } from "../module-output.js";
import { StateCounter, StoredTensor } from "../parameter.js";
import type { StateTarget } from "../state-dict.js";

/** Where a module keeps a parameter or state: a field of it, or of a list or plain object in a field. */
export interface StoredPlace {
  /** Checkpoint name. */
  readonly path: string;
  readonly target: StateTarget;
  readonly holder: Record<string, unknown>;
  readonly key: string;
}

/**
 * Everything that a module's checkpoint holds, with its place; what is shared once for each. Nothing is drawn.
 * @param without A module that is not looked into, wherever it is found.
 */
export function storedPlaces(module: AnyModule, without?: AnyModule): StoredPlace[] {
  const found: StoredPlace[] = [];
  const visitModule = (part: AnyModule, prefix: string): void => {
    if (part === without) return;
    const names = (part.constructor as typeof Module).checkpointNames;
    const holder = part as unknown as Record<string, unknown>;
    for (const key of Object.keys(part)) visit(holder, key, join(prefix, names[key] ?? key));
  };
  const visit = (holder: Record<string, unknown>, key: string, path: string): void => {
    const value = holder[key];
    if (value instanceof Module) visitModule(value, path);
    else if (value instanceof StoredTensor && value.derived)
      for (const [suffix, target] of Object.entries(value.storedParts ?? {}))
        found.push({ path: path + suffix, target, holder: value.storedParts as never, key: suffix });
    else if (value instanceof StateCounter || value instanceof StoredTensor)
      found.push({ path, target: value, holder, key });
    else if (Array.isArray(value) || isPlainObject(value))
      for (const inner of Object.keys(value as object))
        visit(value as unknown as Record<string, unknown>, inner, join(path, inner));
  };
  visitModule(module, "");
  return found;
}

function join(path: string, name: string): string {
  return path === "" || name === "" ? path + name : `${path}.${name}`;
}
