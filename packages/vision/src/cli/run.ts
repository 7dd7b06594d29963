import { isAiError } from "@ai/tensor";
import { CommanderError } from "commander";
import { INTERRUPTED_EXIT_CODE, InterruptedError } from "./interruption.js";
import { visionProgram } from "./program.js";

/** A wrong command line. */
const USAGE_EXIT_CODE = 2;

/**
 * Runs the command line of `@ai/vision`. The exit code is 0, 1 when the work failed, 2 for a wrong command line and 130
 * after Ctrl-C.
 * @param words What stands behind the name of the program.
 */
export async function runVision(words: readonly string[]): Promise<void> {
  // a reader that has seen enough, such as `head`, is no failure; of progress it ends nothing
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      if (stream === process.stdout) process.exit();
    });
  try {
    await visionProgram().parseAsync([...words], { from: "user" });
  } catch (error) {
    process.exitCode = report(error, words.includes("--debug"));
  }
}

/** Says what went wrong in a sentence. @returns the exit code. */
function report(error: unknown, isDebug: boolean): number {
  // commander has said it already
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
  const isStopped = error instanceof InterruptedError;
  const known = isAiError(error) || isSystemError(error);
  const message = error instanceof Error ? error.message : String(error);
  if (isStopped) process.stderr.write(`${message}\n`);
  else
    process.stderr.write(
      known ? `error: ${message}\n` : `error: unexpected: ${message}; --debug shows where it came from\n`,
    );
  if (isDebug && error instanceof Error) process.stderr.write(`${stackOf(error)}\n`);
  return isStopped ? INTERRUPTED_EXIT_CODE : 1;
}

/** A file that cannot be written and the like: its message says enough. */
const isSystemError = (error: unknown): boolean =>
  error instanceof Error && "syscall" in error && "code" in error;

function stackOf(error: Error): string {
  const { cause, stack } = error;
  return cause instanceof Error ? `${stack}\ncaused by ${stackOf(cause)}` : String(stack);
}
