import { median } from "./statistics.mjs";

/** One engine in a process of its own: prepares a workload when told, then times rounds when told. */
const [engineName, ...engineArguments] = process.argv.slice(2);
const engine = await import(`../engines/${engineName}.mjs`);

/** A round lasts at least this long, or one run; a warm-up longer, until compilers and caches have settled. */
const ROUND_MILLISECONDS = 150;
const WARM_UP_MILLISECONDS = 400;
let prepared;

/** Runs for some time. @returns the median of the runs' times */
async function time(milliseconds) {
  if (prepared.time !== undefined) return await prepared.time(milliseconds);
  const times = [];
  const started = performance.now();
  let before = started;
  do {
    await prepared.run();
    const now = performance.now();
    times.push(now - before);
    before = now;
  } while (before - started < milliseconds);
  return median(times);
}

const handlers = {
  start: () => engine.start(...engineArguments),
  async prepare({ workload }) {
    const reason = engine.whyNot(workload);
    if (reason !== undefined) return { reason };
    prepared = await engine.prepare(workload);
    // The first run compiles and fills caches; its result is what the engines are compared by.
    const result = await prepared.run(true);
    return { result, milliseconds: await time(WARM_UP_MILLISECONDS) };
  },
  round: async () => ({ milliseconds: await time(ROUND_MILLISECONDS) }),
  async release() {
    await prepared?.dispose?.();
    prepared = undefined;
    return {};
  },
};

process.on("message", async (message) => {
  try {
    process.send({ value: await handlers[message.type](message) });
  } catch (error) {
    process.send({ error: error.stack ?? String(error) });
  }
});
process.send({ value: "ready" });
