import { InputError } from "@ai/tensor";

/** @throws InputError unless `options` is an object with no other properties than `names`. */
export function assertOptionNames(operation: string, options: object, names: readonly string[]): void {
  if (typeof options !== "object" || options === null || Array.isArray(options) || "dataId" in options)
    throw new InputError(
      `${operation}: expected options { ${names.join(", ")} }, got ${options === null ? "null" : Array.isArray(options) ? "an array" : typeof options === "object" ? "a tensor" : typeof options}; name what you pass`,
    );
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new InputError(
      `${operation}: expected options { ${names.join(", ")} }, got one named ${unknown}; check the spelling`,
    );
}
