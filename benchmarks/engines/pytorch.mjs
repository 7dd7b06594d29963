import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("pytorch.py", import.meta.url));
/** The interpreter that has PyTorch. */
const python = process.env.AI_BENCH_PYTHON ?? "python3";
let ask;

/** Starts Python; messages are lines of JSON. */
function startPython() {
  const child = spawn(python, [script], { stdio: ["pipe", "pipe", "ignore"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = new Promise((_, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`${python} ended with code ${code}`)));
  });
  ended.catch(() => {}); // told to whoever asks next
  process.once("exit", () => child.kill());
  return async (message) => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
    const { value } = await Promise.race([lines.next(), ended]);
    if (value === undefined) return await ended;
    const answer = JSON.parse(value);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  };
}

export async function start() {
  try {
    ask = startPython();
    return await ask({ type: "start" });
  } catch (error) {
    return { absent: `${error.message}; AI_BENCH_PYTHON names an interpreter with PyTorch` };
  }
}

const KINDS = ["gemm", "conv", "bert", "train-cnn", "train-lstm"];
export const whyNot = ({ kind }) => (KINDS.includes(kind) ? undefined : `its engine here has no ${kind}`);

export async function prepare(workload) {
  await ask({ type: "prepare", workload });
  return {
    run: async (wanted) => (await ask({ type: "run", wanted: wanted === true })).result,
    // the clock runs in Python: a message costs more than a small product
    time: async (milliseconds) => (await ask({ type: "time", milliseconds })).median,
    dispose: () => ask({ type: "release" }),
  };
}
