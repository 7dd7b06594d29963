/** Packages throw errors of the kinds in @ai/tensor's errors.ts, never plain ones. */
import { isTestCode, readSources } from "./files.mjs";

const PLAIN = /\bthrow\s+(?:new\s+)?(Error|TypeError|RangeError|SyntaxError)\s*\(/;

export function problemsOf({ path, text }) {
  return text
    .split("\n")
    .flatMap((line, index) =>
      PLAIN.test(line)
        ? [`${path}:${index + 1}: throws a plain ${PLAIN.exec(line)[1]}; use a kind of @ai/tensor's errors`]
        : [],
    );
}

export async function check(root) {
  const sources = await readSources(/^packages\/[^/]+\/src\/.*\.tsx?$/, root);
  return sources.filter(({ path }) => !isTestCode(path)).flatMap(problemsOf);
}
