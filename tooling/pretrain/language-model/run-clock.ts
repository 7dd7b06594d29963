import type { TrainingCallback } from "@ai/layers/training";

/** How long a run took, over all its parts when it was resumed. */
export interface RunTimes {
  /** From start to end, evaluation and checkpoints included; pauses between parts are not. */
  readonly wallSeconds: number;
  /** Of all threads of the process. */
  readonly cpuSeconds: number;
  /** The half of the steps that took least took at most so long: little of it is waiting for other processes. */
  readonly medianStepSeconds: number;
}

/** Measures a run; it goes on where a checkpoint left it. */
export class RunClock implements TrainingCallback {
  readonly name = "run-clock";
  #wall = 0;
  #cpu = 0;
  #steps: number[] = [];
  #started = 0;
  #cpuStarted = 0;
  #stepStarted: number | undefined;

  onFitStart(): void {
    this.#started = performance.now();
    this.#cpuStarted = cpuSeconds();
  }

  onEpochStart(): void {
    this.#stepStarted = performance.now();
  }

  onStepEnd(): void {
    const now = performance.now();
    if (this.#stepStarted !== undefined) this.#steps.push(Math.round(now - this.#stepStarted) / 1000);
    this.#stepStarted = now;
  }

  onEpochEnd(): void {
    this.#stepStarted = undefined;
  }

  times(): RunTimes {
    const sorted = [...this.#steps].sort((a, b) => a - b);
    return {
      wallSeconds: this.#wall + (performance.now() - this.#started) / 1000,
      cpuSeconds: this.#cpu + cpuSeconds() - this.#cpuStarted,
      medianStepSeconds: sorted[Math.floor(sorted.length / 2)] ?? 0,
    };
  }

  state(): { readonly json: unknown } {
    const { wallSeconds, cpuSeconds: cpu } = this.times();
    return { json: { wall: wallSeconds, cpu, steps: this.#steps } };
  }

  loadState({ json }: { readonly json: unknown }): void {
    const { wall, cpu, steps } = json as { wall: number; cpu: number; steps: number[] };
    this.#wall = wall;
    this.#cpu = cpu;
    this.#steps = [...steps];
  }
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
