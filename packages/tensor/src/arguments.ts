import type { Tensor } from "@tensorflow/tfjs-core";
import { InputError } from "./errors.js";

/** Whether `value` looks like a tensor. */
export function isTensor(value: unknown): value is Tensor {
  return typeof (value as Tensor | undefined)?.dataId === "object";
}

/** @throws InputError unless `fn` is a function. */
export function assertFunction(operation: string, fn: unknown): void {
  if (typeof fn !== "function")
    throw new InputError(`${operation}: expected a function, got ${fn === null ? "null" : typeof fn}`);
}

/** @throws InputError unless `tensors` is an array of tensors. */
export function assertTensors(operation: string, what: string, tensors: readonly Tensor[]): void {
  if (!Array.isArray(tensors))
    throw new InputError(
      `${operation}: expected ${what} as an array of tensors, got ${isTensor(tensors) ? "one tensor; put it into an array" : String(typeof tensors)}`,
    );
  const wrong = tensors.findIndex((tensor) => !isTensor(tensor));
  if (wrong >= 0)
    throw new InputError(
      `${operation}: expected ${what} to be tensors, got ${isParameter(tensors[wrong]) ? `a parameter at position ${wrong}; pass parameter.value` : `${nameKind(tensors[wrong])} at position ${wrong}`}`,
    );
}

/** Whether `value` is what a layer holds its weights in. */
function isParameter(value: unknown): boolean {
  return typeof value === "object" && value !== null && "value" in value && "requiresGrad" in value;
}

function nameKind(value: unknown): string {
  return value === null ? "null" : typeof value;
}

/** What stands in the place of a tensor, with the cure of a frequent slip. */
export function describeNoTensor(value: unknown): string {
  return isParameter(value) ? "a parameter; pass parameter.value" : nameKind(value);
}

/** What a list calls one option: a question mark behind the name of a switch, whose value is true or false. */
type ListedName<Name, Value> = Name extends string
  ? [Exclude<Value, undefined>] extends [never]
    ? Name
    : [Exclude<Value, undefined>] extends [boolean]
      ? `${Name}?`
      : Name
  : Name;

/** What a list calls every option, of each type in a union; any name where the type says nothing. */
type NameOf<Options> = 0 extends 1 & Options
  ? string
  : Options extends unknown
    ? { [Name in keyof Options]-?: ListedName<Name, Options[Name]> }[keyof Options]
    : never;

/** What a list of an options type's names has to be besides: without one of them, or with another, nothing is. */
export type EveryOption<Options, Name extends string> = string extends Name | NameOf<Options>
  ? unknown
  : [NameOf<Options>] extends [never]
    ? unknown
    : [Exclude<NameOf<Options>, Name>, Exclude<Name, NameOf<Options>>] extends [never, never]
      ? unknown
      : {
          readonly forgotten: Exclude<NameOf<Options>, Name>;
          readonly unknown: Exclude<Name, NameOf<Options>>;
        };

/**
 * Refuses options that nothing would read, and switches that are not true or false, as the text `"false"` of a form, which
 * would count as true: at the border of every function that takes an options object.
 * @param names Every name of the options' type, a question mark behind that of a boolean: a list that forgets one, or has
 * another, does not compile.
 * @throws InputError unless `options` is an object with no other properties than `names`, and booleans where they belong.
 * @example
 * assertOptions("Upsample", options, ["size", "scaleFactor", "mode", "alignCorners?"]);
 */
export function assertOptions<Options extends object, const Names extends readonly string[]>(
  operation: string,
  options: Options,
  names: Names & EveryOption<Options, Names[number]>,
): void {
  if (typeof options !== "object" || options === null || Array.isArray(options) || isTensor(options))
    throw new InputError(
      `${operation}: expected options ${listed(names)}, got ${describe(options)}; name what you pass`,
    );
  for (const name in options) {
    if (names.includes(name) && !name.endsWith("?")) continue;
    if (!names.includes(`${name}?`))
      throw new InputError(
        `${operation}: expected options ${listed(names)}, got one named ${name}; check the spelling`,
      );
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "boolean")
      throw new InputError(
        `${operation}: expected ${name} true or false, got ${typeof value === "string" ? JSON.stringify(value) : describe(value)}`,
      );
  }
}

/** Names for a message, as they are written in code. */
function listed(names: readonly string[]): string {
  return `{ ${names.map((name) => name.replace("?", "")).join(", ")} }`;
}

/** @throws InputError unless `numbers` is an array: a typical slip is one number where a list belongs. */
export function assertList(operation: string, what: string, numbers: readonly unknown[]): void {
  if (!Array.isArray(numbers))
    throw new InputError(
      `${operation}: expected ${what} as an array, got ${describe(numbers)}; put it into []`,
    );
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (isTensor(value)) return "a tensor";
  if (Array.isArray(value)) return "an array";
  return typeof value === "number" ? String(value) : typeof value;
}
