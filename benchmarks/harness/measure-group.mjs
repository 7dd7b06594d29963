import { setTimeout as sleep } from "node:timers/promises";
import { startEngine } from "./engine.mjs";
import { becomesQuiet } from "./quiet.mjs";
import { toRow } from "./statistics.mjs";

/** Libraries that we compare with where a workload names none; `whyNot` of its engine says which it cannot do. */
const PEERS = ["tfjs-cpu", "tfjs-wasm", "onnxruntime-web", "onnxruntime-node", "pytorch"];

const peersOf = ({ peers = PEERS }) => peers;

/** An engine that takes longer than this for one run is timed in fewer rounds. */
const SLOW_MILLISECONDS = 2000;
const SLOW_ROUNDS = 3;
/** Threads of the engine before may spin for a while. */
const PAUSE_MILLISECONDS = 20;

/**
 * Engines must compute the same: the best class and the set of the best; else the sum of the result and one value of it,
 * within float32's reach for long sums, or as far apart as the workload allows.
 */
export function sameResult(ours, theirs, tolerance = 1e-3) {
  if (ours.classes !== undefined)
    return ours.best === theirs.best && ours.classes.join() === theirs.classes.join();
  const close = (a, b, scale) => Math.abs(a - b) <= tolerance * Math.max(Math.abs(b), scale);
  return close(ours.sample, theirs.sample, ours.scale) && close(ours.sum, theirs.sum, ours.scale * 10);
}

/** Takes turns on an idle machine: every engine once a round. @returns milliseconds by engine name, one a round. */
async function takeTurns(engines, rounds) {
  const times = Object.fromEntries(engines.map(({ engine }) => [engine.name, []]));
  let busy = 0;
  for (let round = 0; round < rounds; round++) {
    if (!(await becomesQuiet())) busy++;
    for (const { engine, slow } of engines) {
      if (slow && round >= SLOW_ROUNDS) continue;
      times[engine.name].push((await engine.ask({ type: "round" })).milliseconds);
      await sleep(PAUSE_MILLISECONDS);
    }
  }
  if (busy > 0) console.log(`the machine was busy in ${busy} of ${rounds} rounds: run again`);
  return times;
}

async function measureWorkload(workload, ours, peers, { device, rounds, relaxed }) {
  const { result, reason } = await ours.ask({ type: "prepare", workload });
  if (reason !== undefined) throw new Error(`${workload.name}: our engine cannot do it: ${reason}`);
  const taking = [];
  for (const peer of peers.filter(({ name }) => peersOf(workload).includes(name))) {
    const answer = await peer.ask({ type: "prepare", workload });
    if (answer.reason !== undefined) {
      console.log(`${workload.name}: ${peer.name} left out: ${answer.reason}`);
      continue;
    }
    if (!sameResult(result, answer.result, workload.tolerance))
      throw new Error(
        `${workload.name}: ${peer.name} computed ${JSON.stringify(answer.result)}, we ${JSON.stringify(result)}`,
      );
    taking.push({ engine: peer, slow: answer.milliseconds > SLOW_MILLISECONDS });
  }
  const times = await takeTurns([{ engine: ours, slow: false }, ...taking], rounds);
  for (const engine of [ours, ...peers]) await engine.ask({ type: "release" });
  return taking.map(({ engine: { name } }) =>
    toRow(
      {
        workload: workload.name,
        device: relaxed ? `${device} (relaxed SIMD)` : device,
        threads: ours.about.threads,
        peer: name,
      },
      times[ours.name],
      times[name],
    ),
  );
}

/** Measures workloads against every peer; prints each row as it comes. */
export async function measureGroup(workloads, { device, rounds, peers: chosen, relaxed = false }) {
  const all = [...new Set(workloads.flatMap(peersOf))];
  const peers = chosen ?? all;
  const unknown = peers.filter((name) => !all.includes(name));
  if (unknown.length > 0)
    throw new Error(`bench: expected peers from ${all.join(", ")}, got ${unknown.join(", ")}`);
  const engines = [await startEngine("ai", [device, ...(relaxed ? ["relaxed"] : [])])];
  try {
    for (const name of peers) {
      const engine = await startEngine(name);
      if (engine.about.absent === undefined) engines.push(engine);
      else {
        console.log(`${name} left out: ${engine.about.absent}`);
        engine.stop();
      }
    }
    const [ours, ...others] = engines;
    console.log(
      `ours: ${ours.about.description}; ${others.map(({ name, about }) => `${name}: ${about.description}`).join("; ")}`,
    );
    const rows = [];
    for (const workload of workloads) {
      for (const row of await measureWorkload(workload, ours, others, { device, rounds, relaxed })) {
        rows.push(row);
        console.log(
          `${row.workload.padEnd(26)} ${row.peer.padEnd(18)} ours ${String(row.ours).padStart(8)} ms  theirs ${String(row.theirs).padStart(8)} ms  ratio ${row.ratio} (spread ${row.spread})`,
        );
      }
    }
    return rows;
  } finally {
    for (const engine of engines) engine.stop();
  }
}
