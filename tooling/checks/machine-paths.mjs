/** No file names a folder of the machine that it was written on. */
import { readSources } from "./files.mjs";

/** Homes, and folders under `/tmp` or `/work`. */
const HOMES =
  /(?:^|[\s"'`(=:])(\/(?:home|Users|root)\/[A-Za-z0-9._-]+|\/(?:work|tmp)\/[A-Za-z0-9._-]+|[A-Z]:\\Users\\\w+)/;
const TEXT = /\.(ts|tsx|mjs|js|py|json|md|vue|css|html|yaml|yml|toml|sh|txt)$|^\.ci\/|(^|\/)\.[a-z]+rc$/;
const SKIPPED = /^pnpm-lock\.yaml$|^tooling\/checks\/machine-paths\./;

export function problemsOf({ path, text }) {
  return text.split("\n").flatMap((line, index) => {
    const found = HOMES.exec(line)?.[1];
    return found === undefined ? [] : [`${path}:${index + 1}: names a folder of one machine: ${found}`];
  });
}

export async function check(root) {
  return (await readSources(TEXT, root)).filter(({ path }) => !SKIPPED.test(path)).flatMap(problemsOf);
}
