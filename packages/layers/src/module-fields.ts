import type { AnyModule, Module } from "./module.js";
import { isPlainObject } from "./module-output.js";
import { isModule, join } from "./module-tree.js";
import { Parameter, StateCounter, StoredTensor } from "./parameter.js";

/** What a module's fields may hold: found in fields, arrays and plain objects. */
type Owned = AnyModule | StoredTensor | StateCounter;

/** What a module's own fields hold, by checkpoint name, in the order of declaration. */
export function* owned(module: AnyModule): Generator<[name: string, value: Owned]> {
  const names = (module.constructor as typeof Module).checkpointNames;
  for (const [field, value] of Object.entries(module)) yield* ownedIn(names[field] ?? field, value);
}

/** Parameters in a module's own fields, each as often as it stands there, also those of few bits, which are no parameter to train. */
export function heldParameters(module: AnyModule): Parameter[] {
  const walk = (value: unknown): Parameter[] => {
    if (value instanceof Parameter) return value.derived && value.storedParts === undefined ? [] : [value];
    return Array.isArray(value) || isPlainObject(value) ? Object.values(value).flatMap(walk) : [];
  };
  return Object.values(module).flatMap(walk);
}

/** Parameters of a module and all below it, each once, also those of few bits. */
export function allParameters(module: AnyModule): Parameter[] {
  return [...new Set(module.namedModules().flatMap(([, each]) => heldParameters(each)))];
}

/** What parameters hold: numbers, those of them that an optimizer may change, and bytes. */
export function sizeOfParameters(parameters: readonly Parameter[]): {
  parameters: number;
  trainableParameters: number;
  parameterBytes: number;
} {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  return {
    parameters: sum(parameters.map(({ size }) => size)),
    trainableParameters: sum(
      parameters.map(({ requiresGrad, derived, size }) => (requiresGrad && !derived ? size : 0)),
    ),
    parameterBytes: sum(parameters.map(({ bytes }) => bytes)),
  };
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
