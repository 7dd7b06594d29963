import { InputError } from "../../errors.js";

/** A pattern of names, such as `layers.{i}.{rest*}`. */
export interface NamePattern {
  readonly text: string;
  readonly placeholders: readonly string[];
  /** What the placeholders stand for; undefined when the name does not fit. */
  match(name: string): ReadonlyMap<string, string> | undefined;
  /** The name that the pattern gives; every placeholder must be there. */
  fill(bindings: ReadonlyMap<string, string>): string;
}

const PLACEHOLDER = /\{([a-zA-Z]\w*)(\*?)\}/;

/**
 * Reads a pattern: `{x}` stands for one segment between dots, `{x*}` for any text, dots and nothing included.
 * @param operation Name for errors.
 * @throws InputError for stray braces, a placeholder given twice, more than one `{x*}` or placeholders side by side.
 */
export function parsePattern(operation: string, text: string): NamePattern {
  const fail = (problem: string): never => {
    throw new InputError(
      `${operation}: expected a pattern such as "layers.{i}.{rest*}", got ${JSON.stringify(text)} with ${problem}`,
    );
  };
  if (typeof text !== "string" || text === "") return fail("no text");
  const placeholders: string[] = [];
  const literals: string[] = [];
  let expression = "^";
  let rest = text;
  let wide = 0;
  for (;;) {
    const found = PLACEHOLDER.exec(rest);
    const literal = found === null ? rest : rest.slice(0, found.index);
    if (/[{}]/.test(literal)) return fail("a brace that belongs to no placeholder");
    literals.push(literal);
    expression += literal.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
    if (found === null) break;
    const [whole, name, star] = found;
    if (placeholders.includes(name)) return fail(`{${name}} twice`);
    if (placeholders.length > 0 && literal === "") return fail("placeholders side by side");
    if (star !== "") wide++;
    placeholders.push(name);
    expression += star === "" ? "([^.]+)" : "(.*)";
    rest = rest.slice(found.index + whole.length);
  }
  // with two, matching a long hostile name could take quadratic time, and would not be unique
  if (wide > 1) return fail("more than one {x*}");
  const matcher = new RegExp(`${expression}$`, "s");
  return {
    text,
    placeholders,
    match(name) {
      const found = matcher.exec(name);
      return found === null
        ? undefined
        : new Map(placeholders.map((placeholder, index) => [placeholder, found[index + 1]]));
    },
    fill: (bindings) =>
      literals
        .map(
          (literal, index) =>
            `${literal}${index < placeholders.length ? bindings.get(placeholders[index]) : ""}`,
        )
        .join(""),
  };
}
