import { readFile } from "node:fs/promises";
import type { Page } from "playwright";

/** Presses the buttons of the tab of training, and reads what it says; for tests. */
export class TrainPage {
  readonly #page: Page;

  constructor(page: Page) {
    this.#page = page;
  }

  /** Trains with 1,000 digits: 16 steps an epoch. */
  async begin(button: "start" | "anew", epochs: number): Promise<void> {
    await this.#page.selectOption("#train-images", "1000");
    await this.#page.fill("#train-epochs", String(epochs));
    await this.#page.click(`#train-${button}`);
  }

  press(button: "pause" | "stop"): Promise<void> {
    return this.#page.click(`#train-${button}`);
  }

  /** Waits until it says that. @returns the number in it. */
  async says(words: RegExp): Promise<number> {
    return this.#number("#train-state", words, 0);
  }

  /** Waits for a step after that one. @returns it. */
  async stepsBeyond(step: number): Promise<number> {
    return this.#number("#train-state", /^Step (\d+) of /, step + 1);
  }

  async pause(): Promise<number> {
    await this.press("pause");
    return this.says(/^Paused after step (\d+)$/);
  }

  /** @returns the step that the button goes on after, once it can be pressed and that is at least `step`. */
  async savedStep(step: number): Promise<number> {
    await this.#page.waitForSelector("#train-start:enabled");
    await this.#page.selectOption("#train-images", "1000");
    return this.#number("#train-start", /^Go on after step (\d+)$/, step);
  }

  /** The run's last words, its loss, and its weights as a file in base 64. */
  async end(): Promise<{ words: string | null; loss: string | null; weights: string }> {
    await this.says(/^Done after (\d+) steps/);
    const [file] = await Promise.all([
      this.#page.waitForEvent("download"),
      this.#page.click("#train-save:enabled"),
    ]);
    return {
      words: await this.#page.textContent("#train-state"),
      loss: await this.#page.getAttribute("#curve", "aria-label"),
      weights: (await readFile(await file.path())).toString("base64"),
    };
  }

  async #number(place: string, words: RegExp, least: number): Promise<number> {
    const found = await this.#page.waitForFunction(
      ({ place, source, least }) => {
        const [, digits] = new RegExp(source).exec(document.querySelector(place)!.textContent!) ?? [];
        // a match of step 0 counts too
        return Number(digits) >= least ? { value: Number(digits) } : undefined;
      },
      { place, source: words.source, least },
    );
    return (await found.jsonValue())!.value;
  }
}
