import { InputError } from "@ai/tensor";
import type { AnyModule } from "./module.js";
import { heldParameters } from "./module-fields.js";
import { Parameter } from "./parameter.js";

/** A module and all below it, a line each: name, class and the shapes of its own parameters. */
export function describeTree(module: AnyModule): string {
  const open = new Set<AnyModule>();
  const lines = (each: AnyModule, name: string, depth: number): string[] => {
    const shapes = heldParameters(each).map(({ shape }) => `[${shape.join(", ")}]`);
    const label = name === "" ? each.constructor.name : `${name}: ${each.constructor.name}`;
    const line = `${"  ".repeat(depth)}${[label, ...shapes].join(" ")}`;
    if (open.has(each)) return [line];
    open.add(each);
    const below = each.namedChildren().flatMap(([child, part]) => lines(part, child, depth + 1));
    open.delete(each);
    return [line, ...below];
  };
  return lines(module, "", 0).join("\n");
}

/**
 * @throws InputError for a Map or Set in a field that holds a layer or parameter which is nowhere else: no walk finds it there;
 * and for a field in place of a method, such as `train`.
 */
export function assertFindable(module: AnyModule): void {
  const named = module.namedModules();
  const found = new Set<unknown>(named.flatMap(([, each]) => [each, ...each.ownParameters()]));
  for (const [path, each] of named)
    for (const [field, value] of Object.entries(each)) {
      const method: unknown = (Object.getPrototypeOf(each) as Readonly<Record<string, unknown>>)[field];
      if (typeof method === "function" && typeof value !== "function")
        throw new InputError(
          `${module.constructor.name}: expected fields that are no methods of a module, got ${join(path, field)}; name the field otherwise and list its name in checkpoints in checkpointNames`,
        );
      if (!(value instanceof Map || value instanceof Set)) continue;
      for (const member of value.values())
        if ((isModule(member) || member instanceof Parameter) && !found.has(member))
          throw new InputError(
            `${module.constructor.name}: expected layers and parameters in fields, arrays or plain objects, got ${member.constructor.name} in a ${value instanceof Map ? "Map" : "Set"} at ${join(path, field)}; use an object or an array`,
          );
    }
}

/** Whether a value is a module. */
export function isModule(value: unknown): value is AnyModule {
  return typeof (value as Partial<AnyModule> | null | undefined)?.namedModules === "function";
}

/** A path one name longer. */
export function join(path: string, name: string): string {
  return path === "" || name === "" ? path + name : `${path}.${name}`;
}

/** A path as seen from a caller above it; whole when it is not below. */
export function relative(from: string, path: string): string {
  return from !== "" && path.startsWith(`${from}.`) ? path.slice(from.length + 1) : path;
}
