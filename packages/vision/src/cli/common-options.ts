import { type Command, InvalidArgumentError, Option } from "commander";

/** Options that every command has. */
export interface CommonFlags {
  readonly device?: string;
  readonly threads?: number;
  readonly json?: boolean;
  readonly debug?: boolean;
}

/** A whole number from `minimum` on, of an option. */
export function integer(minimum: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isSafeInteger(value) || value < minimum)
      throw new InvalidArgumentError(`Expected a whole number of at least ${minimum}.`);
    return value;
  };
}

/** A number in [minimum, maximum], of an option. */
export function number(minimum: number, maximum = Number.POSITIVE_INFINITY): (text: string) => number {
  const range = maximum === Number.POSITIVE_INFINITY ? `at least ${minimum}` : `${minimum} to ${maximum}`;
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value < minimum || value > maximum)
      throw new InvalidArgumentError(`Expected a number of ${range}.`);
    return value;
  };
}

/** Adds the options that every command has. */
export function withCommonOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--device <name>", "where to compute; the fastest one when left out").choices([
        "cpu",
        "wasm",
        "webgpu",
        "cuda",
      ]),
    )
    .option(
      "--threads <count>",
      "threads of the device wasm, which is then used; the cores there are when left out",
      integer(1),
    )
    .option("--json", "print the result as JSON on standard output; all else goes to standard error")
    .option("--debug", "print where an error came from");
}

/** The values that were given. */
export function given<Values extends object>(values: Values): Defined<Values> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Defined<Values>;
}

/** Properties that are left out instead of undefined. */
type Defined<Values> = { readonly [Name in keyof Values]?: Exclude<Values[Name], undefined> };
