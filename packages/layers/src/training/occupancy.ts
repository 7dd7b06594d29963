import { InputError } from "@ai/tensor";

const FIT = "Trainer.fit";

/**
 * What a trainer is doing. A run, a rehearsal and an evaluation each set the model's mode and the metrics: two of them at
 * once would train without dropout or evaluate with it, in silence.
 */
export class Occupancy {
  #work: string | undefined;
  #isEvaluating = false;

  /** Does work that nothing else may overlap; callbacks of `fit` may evaluate. @throws InputError while there is other work. */
  async run<Result>(operation: string, work: () => Promise<Result>): Promise<Result> {
    this.assertIdle(operation);
    this.#work = operation;
    try {
      return await work();
    } finally {
      this.#work = undefined;
    }
  }

  /** @throws InputError while a run or an evaluation is in progress. */
  assertIdle(operation: string): void {
    if (this.#work !== undefined)
      throw new InputError(
        `${operation}: expected no run in progress, one run at a time, got one; await it first`,
      );
    if (this.#isEvaluating)
      throw new InputError(`${operation}: expected no evaluation in progress, got one; await it first`);
  }

  /** @throws InputError while an evaluation is in progress that nobody waits for. */
  assertNoEvaluation(): void {
    if (this.#isEvaluating)
      throw new InputError(
        `${FIT}: expected no evaluation during a step, got one in progress; await it in a callback such as onEpochEnd, or after fit`,
      );
  }

  /**
   * Evaluates, alone or while a run waits for it.
   * @param step Steps so far: none may be made meanwhile.
   * @throws InputError during another evaluation or a rehearsal, and when the model was trained meanwhile.
   */
  async evaluate<Result>(step: () => number, work: () => Promise<Result>, isPart = false): Promise<Result> {
    if (this.#isEvaluating)
      throw new InputError(
        "Trainer.evaluate: expected one evaluation at a time, got a second; await the first",
      );
    if (!isPart && this.#work !== undefined && this.#work !== FIT)
      throw new InputError(
        `Trainer.evaluate: expected no ${this.#work} in progress, got one; await it first`,
      );
    const before = step();
    this.#isEvaluating = true;
    try {
      const result = await work();
      if (step() !== before)
        throw new InputError(
          "Trainer.evaluate: expected a model that rests, got one that was trained meanwhile; await it in a callback such as onEpochEnd, or after fit",
        );
      return result;
    } finally {
      this.#isEvaluating = false;
    }
  }
}
