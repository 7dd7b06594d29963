/**
 * What `npm start`, `npm run demo` and `npm test` call. With only Node and npm present it installs the workspace with the pinned
 * pnpm, builds what is needed and runs the main job, the demo or the tests. It uses nothing outside Node's own modules.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Lowest Node that `engines` allows, as numbers. */
const MINIMUM_NODE = [20, 19];

/** Why this Node cannot run the project; undefined when it can. */
export function nodeProblem(version) {
  const [major, minor] = version.split(".").map(Number);
  const [wantedMajor, wantedMinor] = MINIMUM_NODE;
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return undefined;
  return `Node ${wantedMajor}.${wantedMinor} or later is needed, this is Node ${version}. Install a newer Node and run the same command again.`;
}

/** `10.34.9` from `pnpm@10.34.9`. */
export function pnpmVersion(manifest) {
  const version = /^pnpm@(\d+\.\d+\.\d+)/.exec(manifest.packageManager ?? "")?.[1];
  if (version === undefined)
    throw new Error(`package.json: packageManager must read pnpm@X.Y.Z, got ${manifest.packageManager}`);
  return version;
}

/** How to start pnpm: through npm's own script where it is known (no shell, no PATH), else through npx. */
export function pnpmCommand(version, npmScript, platform) {
  const npx = ["exec", "--yes", `--package=pnpm@${version}`, "--", "pnpm"];
  if (npmScript !== undefined && /npm-cli\.js$/.test(npmScript))
    return { file: process.execPath, args: [npmScript, ...npx], shell: false };
  return { file: "npx", args: ["--yes", `pnpm@${version}`], shell: platform === "win32" };
}

/** No telemetry, no advertisement of newer versions: the versions are pinned. */
const environment = {
  ...process.env,
  TURBO_TELEMETRY_DISABLED: "1",
  DO_NOT_TRACK: "1",
  npm_config_update_notifier: "false",
};

function run({ file, args, shell }, more) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [...args, ...more], { cwd: root, stdio: "inherit", shell, env: environment });
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1)));
  });
}

async function step(title, pnpm, args) {
  console.log(`\n▸ ${title}`);
  const code = await run(pnpm, args);
  if (code !== 0) {
    console.error(`\n${title}: failed with exit code ${code}; the lines above say why.`);
    process.exit(code);
  }
}

/** What a job needs installed, and how it runs. */
const JOBS = {
  quickstart: {
    install: ["--filter", "ai-monorepo", "--filter", "@ai/quickstart..."],
    async run(pnpm, options) {
      const build = [
        "exec",
        "turbo",
        "run",
        "build",
        "--filter=@ai/quickstart...",
        "--output-logs=errors-only",
      ];
      await step("Building the packages", pnpm, build);
      return run(pnpm, ["--filter", "@ai/quickstart", "start", ...options]);
    },
  },
  demo: {
    install: ["--filter", "ai-monorepo", "--filter", "@ai/demo-vision..."],
    run: (pnpm, options) => run(pnpm, ["--filter", "@ai/demo-vision", "serve", ...options]),
  },
  test: {
    install: [],
    run: (pnpm, options) => run(pnpm, ["exec", "node", "tooling/test.mjs", ...options]),
  },
};

async function main([name, ...options]) {
  const problem = nodeProblem(process.versions.node);
  if (problem !== undefined) {
    console.error(problem);
    return 1;
  }
  const job = JOBS[name];
  if (job === undefined) {
    console.error(`bootstrap: expected one of ${Object.keys(JOBS).join(", ")}, got ${name}`);
    return 1;
  }
  const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  const pnpm = pnpmCommand(pnpmVersion(manifest), process.env.npm_execpath, process.platform);
  await step("Installing dependencies (the first time takes about a minute)", pnpm, [
    "install",
    "--frozen-lockfile",
    "--config.confirmModulesPurge=false", // never ask: an installation by another pnpm is replaced
    ...job.install,
  ]);
  return job.run(pnpm, options);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  process.exitCode = await main(process.argv.slice(2));
