/** Work of which only what was begun last counts, whichever ends first. */
export class Newest {
  #begun = 0;

  /** @returns what `work` gives; undefined once other work was begun, also where `work` then fails. */
  async of<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    const own = ++this.#begun;
    try {
      const result = await work();
      return own === this.#begun ? result : undefined;
    } catch (error) {
      if (own === this.#begun) throw error;
      return undefined;
    }
  }

  /** What is on its way counts no more. */
  forget(): void {
    this.#begun++;
  }
}
