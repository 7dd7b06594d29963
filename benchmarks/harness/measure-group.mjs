import { startEngine } from "./engine.mjs";
import { toRow } from "./statistics.mjs";

/** Every library that we compare with; `whyNot` of its engine says which workloads it cannot do. */
export const PEERS = ["tfjs-cpu", "tfjs-wasm", "onnxruntime-web", "onnxruntime-node"];

/** Engines must compute the same: the sum of the result and one value of it, within float32's reach for long sums. */
export function sameResult(ours, theirs) {
  const close = (a, b, scale) => Math.abs(a - b) <= 1e-3 * Math.max(Math.abs(b), scale);
  return close(ours.sample, theirs.sample, ours.scale) && close(ours.sum, theirs.sum, ours.scale * 10);
}

/** Takes turns: every engine once a round. @returns milliseconds by engine name, one a round. */
async function takeTurns(engines, rounds) {
  const times = Object.fromEntries(engines.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++)
    for (const engine of engines) times[engine.name].push((await engine.ask({ type: "round" })).milliseconds);
  return times;
}

async function measureWorkload(workload, ours, peers, { device, rounds }) {
  const { result, reason } = await ours.ask({ type: "prepare", workload });
  if (reason !== undefined) throw new Error(`${workload.name}: our engine cannot do it: ${reason}`);
  const taking = [];
  for (const peer of peers) {
    const answer = await peer.ask({ type: "prepare", workload });
    if (answer.reason !== undefined) {
      console.log(`${workload.name}: ${peer.name} left out: ${answer.reason}`);
      continue;
    }
    if (!sameResult(result, answer.result))
      throw new Error(
        `${workload.name}: ${peer.name} computed ${JSON.stringify(answer.result)}, we ${JSON.stringify(result)}`,
      );
    taking.push(peer);
  }
  const times = await takeTurns([ours, ...taking], rounds);
  for (const engine of [ours, ...peers]) await engine.ask({ type: "release" });
  return taking.map(({ name }) =>
    toRow(
      { workload: workload.name, device, threads: ours.about.threads, peer: name },
      times[ours.name],
      times[name],
    ),
  );
}

/** Measures workloads against every peer; prints each row as it comes. */
export async function measureGroup(workloads, { device, rounds, peers = PEERS }) {
  const unknown = peers.filter((name) => !PEERS.includes(name));
  if (unknown.length > 0)
    throw new Error(`bench: expected peers from ${PEERS.join(", ")}, got ${unknown.join(", ")}`);
  const engines = [await startEngine("ai", [device])];
  try {
    for (const name of peers) engines.push(await startEngine(name));
    const [ours, ...others] = engines;
    console.log(
      `ours: ${ours.about.description}; ${others.map(({ name, about }) => `${name}: ${about.description}`).join("; ")}`,
    );
    const rows = [];
    for (const workload of workloads) {
      for (const row of await measureWorkload(workload, ours, others, { device, rounds })) {
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
