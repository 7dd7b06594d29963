import { cpus } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";

/** Share of time that the cores were idle between two looks. */
function idleShare(before, after) {
  let idle = 0;
  let total = 0;
  for (const [index, { times }] of after.entries()) {
    idle += times.idle - before[index].times.idle;
    for (const kind of Object.keys(times)) total += times[kind] - before[index].times[kind];
  }
  return idle / Math.max(1, total);
}

/**
 * Waits until the machine is idle: nine tenths of its time over 120 ms.
 * @returns false when it was still busy after `patience` milliseconds
 */
export async function becomesQuiet(patience = 60_000) {
  const started = performance.now();
  for (;;) {
    const before = cpus();
    await sleep(120);
    if (idleShare(before, cpus()) >= 0.9) return true;
    if (performance.now() - started > patience) return false;
  }
}
