/** One engine in a process of its own: prepares a workload when told, then times rounds when told. */
const [engineName, ...engineArguments] = process.argv.slice(2);
const engine = await import(`../engines/${engineName}.mjs`);

/** A round lasts at least this long, or one run. */
const ROUND_MILLISECONDS = 150;
let prepared;

async function timeRound() {
  let runs = 0;
  const started = performance.now();
  let elapsed = 0;
  do {
    await prepared.run();
    runs++;
    elapsed = performance.now() - started;
  } while (elapsed < ROUND_MILLISECONDS);
  return elapsed / runs;
}

const handlers = {
  start: () => engine.start(...engineArguments),
  async prepare({ workload }) {
    const reason = engine.whyNot(workload);
    if (reason !== undefined) return { reason };
    prepared = await engine.prepare(workload);
    // The first run compiles and fills caches; its result is what the engines are compared by.
    return { result: await prepared.run(true) };
  },
  round: async () => ({ milliseconds: await timeRound() }),
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
