/** Files stay at 400 lines or fewer; `long-files.json` lists the exceptions, each with its reason. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { ROOT, readSources } from "./files.mjs";

export const MAXIMUM_LINES = 400;
const SOURCES = /\.(ts|tsx|mjs|js|py|vue|css|wgsl)$/;
const GENERATED = /\.generated\.ts$/;

/** @param reasons Path to reason, for files that may be longer. */
export function problemsOf(files, reasons) {
  const problems = [];
  const long = new Set();
  for (const { path, text } of files) {
    const lines = text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
    if (lines <= MAXIMUM_LINES) continue;
    long.add(path);
    if (!reasons[path])
      problems.push(
        `${path}: ${lines} lines, at most ${MAXIMUM_LINES}; split it, or give a reason in tooling/checks/long-files.json`,
      );
  }
  for (const path of Object.keys(reasons))
    if (!long.has(path))
      problems.push(
        `tooling/checks/long-files.json: ${path} is not longer than ${MAXIMUM_LINES} lines; remove its line`,
      );
  return problems;
}

export async function check(root = ROOT) {
  const reasons = JSON.parse(await readFile(join(root, "tooling/checks/long-files.json"), "utf8"));
  return problemsOf(
    (await readSources(SOURCES, root)).filter(({ path }) => !GENERATED.test(path)),
    reasons,
  );
}
