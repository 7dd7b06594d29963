import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./files.mjs";

const windows = process.platform === "win32";

/** Where a tool of the workspace's devDependencies is. */
export function workspaceTool(name) {
  return join(ROOT, "node_modules", ".bin", windows ? `${name}.cmd` : name);
}

/** Runs a command without input and without telemetry; gives its exit code and everything it printed. */
export function runCommand(file, args, { cwd = ROOT, timeoutSeconds = 600 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      shell: windows,
      timeout: timeoutSeconds * 1000,
      env: {
        ...process.env,
        TURBO_TELEMETRY_DISABLED: "1",
        DO_NOT_TRACK: "1",
        FORCE_COLOR: "0",
        NO_COLOR: "1",
      },
    });
    let output = "";
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    child.on("error", reject);
    child.on("close", (code, signal) =>
      resolve({ code: code ?? 1, output: output + (signal === null ? "" : `\nended by ${signal}`) }),
    );
  });
}

/** A command as a check: what it printed is the problem when it fails. */
export async function problemsOfCommand(file, args, options) {
  const { code, output } = await runCommand(file, args, options);
  return code === 0
    ? []
    : [`${file.split(/[\\/]/).at(-1)} ${args.join(" ")}: exit code ${code}\n${output.trim()}`];
}
