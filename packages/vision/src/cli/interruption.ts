/** Exit code of a program that was ended from the keyboard: 128 and the number of SIGINT. */
export const INTERRUPTED_EXIT_CODE = 130;

/** The reason of everything that ends because of Ctrl-C. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
}

/**
 * Ctrl-C. The first one aborts {@link Interruption.signal}, or, between {@link Interruption.defer} and
 * {@link Interruption.resume}, only says so, so that a step can be finished and saved; the second one ends the program.
 */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #notice: (text: string) => void;
  #isDeferred = false;
  #isRequested = false;

  /** @param notice Shows a line. */
  constructor(notice: (text: string) => void) {
    this.#notice = notice;
    process.on("SIGINT", this.#onSignal);
    process.on("SIGTERM", this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether Ctrl-C was pressed. */
  get isRequested(): boolean {
    return this.#isRequested;
  }

  /** From now on Ctrl-C is only noted. */
  defer(): void {
    this.#isDeferred = true;
  }

  /** From now on Ctrl-C aborts, one that was noted too. */
  resume(): void {
    this.#isDeferred = false;
    if (this.#isRequested) this.abort();
  }

  abort(): void {
    this.#controller.abort(new InterruptedError("stopped from the keyboard"));
  }

  /** Leaves the keyboard alone. */
  dispose(): void {
    process.off("SIGINT", this.#onSignal);
    process.off("SIGTERM", this.#onSignal);
  }

  readonly #onSignal = (): void => {
    if (this.#isRequested) process.exit(INTERRUPTED_EXIT_CODE);
    this.#isRequested = true;
    if (this.#isDeferred)
      this.#notice("stopping after this step, to save it; press Ctrl-C again to stop at once");
    else this.abort();
  };
}
