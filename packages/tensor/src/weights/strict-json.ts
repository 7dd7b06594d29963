/** A value of {@link parseStrictJson}: objects are maps, so that no name (`__proto__`) is special. */
export type StrictJson =
  | null
  | boolean
  | number
  | string
  | readonly StrictJson[]
  | ReadonlyMap<string, StrictJson>;

/** What is wrong, and at which character. */
export class StrictJsonProblem {
  constructor(
    readonly problem: string,
    readonly position: number,
  ) {}
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const MOST_DIGITS = 64;

/**
 * Parses JSON from a source that is not trusted: a name given twice, or nesting beyond `maxDepth`, is a problem.
 * @throws StrictJsonProblem which the caller turns into an error of its own.
 */
export function parseStrictJson(text: string, maxDepth: number): StrictJson {
  let position = 0;
  const fail = (problem: string): never => {
    throw new StrictJsonProblem(problem, position);
  };
  // loops instead of patterns: a hostile text must not exhaust the stack of a regular expression
  const skip = (): void => {
    while (" \t\n\r".includes(text[position] ?? "?")) position++;
  };
  const expect = (character: string): void => {
    if (text[position] !== character) fail(`no "${character}"`);
    position++;
  };
  const string = (): string => {
    if (text[position] !== '"') fail("no string");
    let end = text.indexOf('"', position + 1);
    const isEscaped = (at: number): boolean => {
      let first = at;
      while (text[first - 1] === "\\") first--;
      return (at - first) % 2 === 1;
    };
    while (end > 0 && isEscaped(end)) end = text.indexOf('"', end + 1);
    if (end < 0) fail("a string without end");
    const literal = text.slice(position, end + 1);
    try {
      const parsed = JSON.parse(literal) as string;
      position = end + 1;
      return parsed;
    } catch {
      return fail("a string with a bad escape or a control character");
    }
  };
  const number = (): number => {
    let end = position;
    while (end - position < MOST_DIGITS && "+-.0123456789eE".includes(text[end] ?? "?")) end++;
    const literal = text.slice(position, end);
    if (!NUMBER.test(literal)) fail("no value");
    position = end;
    return Number(literal);
  };
  /** What stands between two brackets, separated by commas. */
  const list = (close: string, element: () => void): void => {
    position++;
    skip();
    if (text[position] === close) {
      position++;
      return;
    }
    for (;;) {
      skip();
      element();
      skip();
      if (text[position] === ",") position++;
      else {
        expect(close);
        return;
      }
    }
  };
  const value = (depth: number): StrictJson => {
    if (depth > maxDepth) fail(`nesting deeper than ${maxDepth}`);
    skip();
    const first = text[position];
    if (first === "{") {
      const entries = new Map<string, StrictJson>();
      list("}", () => {
        const name = string();
        if (entries.has(name)) fail(`the name ${JSON.stringify(name)} twice`);
        skip();
        expect(":");
        entries.set(name, value(depth + 1));
      });
      return entries;
    }
    if (first === "[") {
      const elements: StrictJson[] = [];
      list("]", () => elements.push(value(depth + 1)));
      return elements;
    }
    if (first === '"') return string();
    for (const [word, constant] of [
      ["true", true],
      ["false", false],
      ["null", null],
    ] as const)
      if (text.startsWith(word, position)) {
        position += word.length;
        return constant;
      }
    return number();
  };
  const result = value(0);
  skip();
  if (position !== text.length) fail("text after the end");
  return result;
}
