/**
 * What `npm test` runs once the workspace is installed: every check, then every unit test in Node and, where there is
 * one, in Chromium. Ends with `N passed, N failed` (and `, N skipped`), each check counting as one test.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { CHECKS, runChecks } from "./checks/run.mjs";
import { findChromium } from "./chromium.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Counts of a Vitest JSON report; a file that could not be loaded counts as one failure. */
export function countReport(report) {
  const counts = { passed: 0, failed: 0, skipped: 0, failures: [], absences: new Map() };
  for (const file of report.testResults) {
    if (file.status === "failed" && !file.assertionResults.some(({ status }) => status === "failed")) {
      counts.failed++;
      counts.failures.push(`${file.name}: ${(file.message ?? "").split("\n")[0]}`);
    }
    for (const { status, fullName, ancestorTitles } of file.assertionResults) {
      if (status === "passed") counts.passed++;
      else if (status === "failed") {
        counts.failed++;
        counts.failures.push(fullName);
      } else {
        counts.skipped++;
        const group = ancestorTitles[0] || fullName;
        counts.absences.set(group, (counts.absences.get(group) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/** The closing line. */
export function closingLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

async function runVitest() {
  const folder = await mkdtemp(join(tmpdir(), "unit-tests-"));
  const output = join(folder, "report.json");
  const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));
  try {
    const code = await new Promise((resolve) => {
      spawn(
        process.execPath,
        [vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${output}`],
        {
          cwd: root,
          stdio: ["ignore", "inherit", "inherit"],
        },
      ).on("close", (status) => resolve(status ?? 1));
    });
    const counts = countReport(JSON.parse(await readFile(output, "utf8").catch(() => '{"testResults":[]}')));
    if (code !== 0 && counts.failed === 0) {
      counts.failed++;
      counts.failures.push(
        `vitest ended with exit code ${code} without a failed test: an unhandled error, see above`,
      );
    }
    return counts;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function main(options) {
  if (options.length > 0) {
    console.error(
      `npm test takes no options, got ${options.join(" ")}; pnpm unit ${options.join(" ")} narrows the tests`,
    );
    return 1;
  }
  const chromium = findChromium();
  if (process.env.AI_REQUIRE_GPU_TESTS === "1" && chromium === undefined) {
    console.error(
      "AI_REQUIRE_GPU_TESTS=1 requires Chromium, none was found; install it or name it with AI_CHROMIUM",
    );
    console.log("0 passed, 1 failed");
    return 1;
  }
  const total = { passed: 0, failed: 0, skipped: 0 };
  const failures = [];
  const skips = [];
  for (const { name, status, detail } of await runChecks(CHECKS)) {
    total[status]++;
    if (status === "failed") failures.push(`check: ${name}`);
    if (status === "skipped") skips.push(`check: ${name} (${detail})`);
  }
  console.log("\n▸ Unit tests");
  const counts = await runVitest();
  for (const key of ["passed", "failed", "skipped"]) total[key] += counts[key];
  failures.push(...counts.failures);
  for (const [group, count] of counts.absences) skips.push(`${count} × ${group}`);
  if (chromium === undefined) {
    total.skipped++;
    skips.push("tests in Chromium (none was found; install it or name it with AI_CHROMIUM)");
  }
  if (skips.length > 0) console.log(`\nSkipped:\n${skips.map((line) => `  ${line}`).join("\n")}`);
  if (failures.length > 0) console.log(`\nFailed:\n${failures.map((line) => `  ${line}`).join("\n")}`);
  console.log(`\n${closingLine(total)}`);
  return total.failed === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  process.exitCode = await main(process.argv.slice(2));
