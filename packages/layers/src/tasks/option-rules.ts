import { InputError } from "@ai/tensor";
import { suggestion } from "./spelling.js";

/** What an option may be, and what it is when it is left out. */
export interface OptionRule<Value> {
  readonly default: Value;
  /** @returns the value. @throws InputError that begins with `where` and says what there is. */
  parse(where: string, value: unknown): Value;
}

/** A rule for each option, none more and none less. */
export type OptionRules<Options extends object> = {
  readonly [Name in keyof Options]-?: OptionRule<Required<Options>[Name]>;
};

function shown(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "an array";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 100));
  return typeof value === "object" || typeof value === "function"
    ? `a value of type ${typeof value}`
    : String(value);
}

function refuse(where: string, expected: string, value: unknown): never {
  throw new InputError(`${where} as ${expected}, got ${shown(value)}`);
}

/** Bounds of a number. */
interface NumberRange<Value> {
  readonly default: Value;
  /** Smallest value that is permitted. */
  readonly minimum?: number;
  /** Largest value that is permitted. */
  readonly maximum?: number;
}

function rangeText({ minimum, maximum }: Pick<NumberRange<unknown>, "minimum" | "maximum">): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  if (minimum !== undefined) return ` of at least ${minimum}`;
  return maximum === undefined ? "" : ` of at most ${maximum}`;
}

function numeric(kind: string, isKind: (value: unknown) => boolean) {
  return <Value extends number | null = number>(range: NumberRange<Value>): OptionRule<Value> => ({
    default: range.default,
    parse(where, value) {
      if (value === null && range.default === null) return value as Value;
      const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = range;
      if (!isKind(value) || (value as number) < minimum || (value as number) > maximum)
        return refuse(where, `${kind}${rangeText(range)}`, value);
      return value as Value;
    },
  });
}

/** An option that is a number. @param range Its default and bounds; a default of `null` also permits `null`. */
export const numberOption = /* @__PURE__ */ numeric("a number", Number.isFinite);

/** An option that is a whole number. @param range Its default and bounds; a default of `null` also permits `null`. */
export const integerOption = /* @__PURE__ */ numeric("a whole number", Number.isInteger);

/** An option that is `true` or `false`. */
export function booleanOption(initial: boolean): OptionRule<boolean> {
  return {
    default: initial,
    parse: (where, value) => (typeof value === "boolean" ? value : refuse(where, "true or false", value)),
  };
}

/** An option that is a text. */
export function textOption<Value extends string | null = string>(initial: Value): OptionRule<Value> {
  return {
    default: initial,
    parse(where, value) {
      const isText = typeof value === "string" || (value === null && initial === null);
      return isText ? (value as Value) : refuse(where, "a text", value);
    },
  };
}

/** An option that is one of the names given. @example choiceOption(["softmax", "sigmoid"], "softmax") */
export function choiceOption<const Name extends string, Initial extends Name | null>(
  names: readonly Name[],
  initial: Initial,
): OptionRule<Name | (Initial extends null ? null : never)> {
  return {
    default: initial as never,
    parse(where, value) {
      if (names.includes(value as Name) || (value === null && initial === null)) return value as never;
      const hint = typeof value === "string" ? suggestion(value, names) : "";
      throw new InputError(`${where} as one of ${names.join(", ")}, got ${shown(value)}${hint}`);
    },
  };
}

/** An option that is a plain object, such as the content of a JSON file; `null` when left out. */
export function objectOption(): OptionRule<Readonly<Record<string, unknown>> | null> {
  return {
    default: null,
    parse(where, value) {
      if (value === null) return null;
      const isPlain = typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype;
      return isPlain ? (value as Record<string, unknown>) : refuse(where, "a plain object", value);
    },
  };
}

/** An option that is a list; `null` when left out. @param item The rule of each of its items. */
export function listOption<Item>(item: OptionRule<Item>): OptionRule<readonly Item[] | null> {
  return {
    default: null,
    parse(where, value) {
      if (value === null) return null;
      if (!Array.isArray(value)) return refuse(where, "an array", value);
      return value.map((part, index) => item.parse(`${where} with [${index}]`, part));
    },
  };
}

/** @throws InputError unless `options` is an object with names of `known` only. */
export function assertNames(operation: string, options: unknown, known: readonly string[]): void {
  if (
    typeof options !== "object" ||
    options === null ||
    Array.isArray(options) ||
    ArrayBuffer.isView(options) ||
    "dataId" in options
  )
    throw new InputError(
      `${operation}: expected options { ${known.join(", ")} }, got ${shown(options)}; name what you pass`,
    );
  for (const name in options)
    if (!known.includes(name))
      throw new InputError(`${operation}: expected known options, got ${name}${suggestion(name, known)}`);
}

/**
 * Checks options and fills in what is left out.
 * @param common Names that are checked elsewhere.
 * @returns every option of `rules`.
 * @throws InputError for an unknown name, the nearest one and all of them in its message, and for a value out of range.
 */
export function parseOptions<Options extends object>(
  operation: string,
  options: object,
  { rules, common = [] }: { readonly rules: OptionRules<Options>; readonly common?: readonly string[] },
): Required<Options> {
  const names = Object.keys(rules) as (keyof Options & string)[];
  assertNames(operation, options, [...names, ...common]);
  const given = options as Partial<Options>;
  return Object.fromEntries(
    names.map((name) => {
      const rule: OptionRule<unknown> = rules[name];
      const value = given[name];
      return [name, value === undefined ? rule.default : rule.parse(`${operation}: expected ${name}`, value)];
    }),
  ) as Required<Options>;
}
