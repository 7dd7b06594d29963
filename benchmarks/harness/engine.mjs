import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("engine-process.mjs", import.meta.url));

/** Starts an engine's process. `ask` waits for the answer to one message. */
export async function startEngine(name, engineArguments = []) {
  const child = fork(script, [name, ...engineArguments], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const answer = () =>
    new Promise((resolve, reject) => {
      const failed = (code) => reject(new Error(`${name}: its process ended with code ${code}`));
      child.once("exit", failed);
      child.once("message", ({ value, error }) => {
        child.off("exit", failed);
        if (error === undefined) resolve(value);
        else reject(new Error(`${name}: ${error}`));
      });
    });
  await answer();
  const ask = (message) => {
    const reply = answer();
    child.send(message);
    return reply;
  };
  return { name, ask, about: await ask({ type: "start" }), stop: () => child.kill() };
}
