/**
 * Runs the checks: `pnpm check` all of them, `pnpm check NAME…` the named ones. A check gives a list of problems,
 * or ends a command with an exit code. `npm test` counts each as one test.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { problemsOfCommand, workspaceTool } from "./commands.mjs";
import { ROOT } from "./files.mjs";
import { SkippedCheck } from "./skipped-check.mjs";

/** A check is one process that computes on one core, most of the time. */
const AT_ONCE = 2;

const script = (name) => async () => (await import(/* @vite-ignore */ `./${name}.mjs`)).check(ROOT);

/** A step of the release rehearsal; the steps share one staged copy. */
const release = (step) => async () => (await import("./release/rehearsal.mjs"))[step]();

/** A tool of the workspace, run in the root; its output is the problem when it fails. */
const tool =
  (name, ...args) =>
  () =>
    problemsOfCommand(workspaceTool(name), args);

/** The binaries of the WebAssembly kernels are committed: they must be what their sources give. */
async function wasmBinary() {
  const builders = ["tensor", "vision"].map((name) => join(ROOT, `packages/${name}/wasm/build.mjs`));
  const problems = await Promise.all(
    builders.map((builder) => problemsOfCommand(process.execPath, [builder, "--check"])),
  );
  return problems.flat();
}

/**
 * Started in this order: the build, for which most others wait, then what is quick first. `after` names the check that
 * makes what this one reads. The build leaves types unchecked: "types" reads the same sources, and their tests.
 */
export const CHECKS = [
  { name: "build", run: tool("turbo", "run", "build", "--filter=./packages/*", "--output-logs=errors-only") },
  { name: "package directions", run: script("package-directions") },
  { name: "docstrings with shapes", run: script("docstring-shapes") },
  { name: "errors of our kinds", run: script("thrown-errors") },
  { name: "file length", run: script("file-length") },
  { name: "no paths of a machine", run: script("machine-paths") },
  { name: "formatting and lint", run: tool("biome", "ci", "--colors=off", "--max-diagnostics=40", ".") },
  { name: "wasm binary", run: wasmBinary },
  { name: "types", after: "build", run: tool("tsc", "-b") },
  { name: "unused code", after: "build", run: tool("knip", "--no-progress") },
  { name: "size of one import", after: "build", run: script("import-size") },
  { name: "release: version and pack", after: "build", run: release("versionAndPack") },
  {
    name: "release: packed packages (publint, are-the-types-wrong)",
    after: "build",
    run: release("inspectPacked"),
  },
  { name: "release: publish dry run", after: "build", run: release("publishDryRun") },
  { name: "release: in an empty Node project", after: "build", run: release("nodeProject") },
  { name: "release: in a Vite app", after: "build", run: release("viteApp") },
  { name: "release: in a plain page", after: "build", run: release("plainPage") },
];

/** Runs one check and prints its result. */
async function runCheck({ name, run }) {
  const started = Date.now();
  let status = "passed";
  let detail = "";
  try {
    const problems = await run();
    if (problems.length > 0) {
      status = "failed";
      detail = problems.join("\n");
    }
  } catch (error) {
    status = error instanceof SkippedCheck ? "skipped" : "failed";
    detail = status === "skipped" ? error.message : (error.stack ?? String(error));
  }
  const mark = { passed: "✓", failed: "✗", skipped: "–" }[status];
  console.log(
    `${mark} ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)${status === "skipped" ? `: ${detail}` : ""}`,
  );
  if (status === "failed") console.log(detail.replace(/^/gm, "    "));
  return { name, status, detail };
}

/** Runs checks, two at once, and prints each result as it comes. @returns the results in the checks' order. */
export async function runChecks(checks) {
  console.log("\n▸ Checks");
  const results = new Map();
  const waiting = [...checks];
  const running = new Set();
  const isReady = ({ after }) => results.has(after) || !checks.some(({ name }) => name === after);
  while (waiting.length + running.size > 0) {
    const next = running.size < AT_ONCE ? waiting.findIndex(isReady) : -1;
    if (next < 0) {
      await Promise.race(running);
      continue;
    }
    const [check] = waiting.splice(next, 1);
    const run = runCheck(check).then((result) => {
      results.set(check.name, result);
      running.delete(run);
    });
    running.add(run);
  }
  return checks.map(({ name }) => results.get(name));
}

async function main(names) {
  const unknown = names.filter((name) => !CHECKS.some((check) => check.name === name));
  if (unknown.length > 0) {
    console.error(
      `check: expected names from ${CHECKS.map(({ name }) => `"${name}"`).join(", ")}, got "${unknown.join('", "')}"`,
    );
    return 1;
  }
  const results = await runChecks(
    names.length === 0 ? CHECKS : CHECKS.filter(({ name }) => names.includes(name)),
  );
  return results.some(({ status }) => status === "failed") ? 1 : 0;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  process.exitCode = await main(process.argv.slice(2));
