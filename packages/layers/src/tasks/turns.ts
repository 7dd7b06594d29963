/** Lets one piece of work in at a time, the first that asked first. */
export class Turns {
  #isTaken = false;
  readonly #waiting: (() => void)[] = [];

  /** Runs `work` alone. @throws the signal's reason when it aborts while `work` still waits. */
  async run<Result>(work: () => Promise<Result>, signal: AbortSignal): Promise<Result> {
    await this.#take(signal);
    try {
      return await work();
    } finally {
      this.#isTaken = false;
      this.#waiting.shift()?.();
    }
  }

  async #take(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    while (this.#isTaken) {
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => {
          this.#waiting.splice(this.#waiting.indexOf(start), 1);
          reject(signal.reason);
        };
        const start = (): void => {
          signal.removeEventListener("abort", onAbort);
          resolve();
        };
        signal.addEventListener("abort", onAbort, { once: true });
        this.#waiting.push(start);
      });
    }
    this.#isTaken = true;
  }
}
