import { dispose, fromValues, narrow, noGrad, RandomGenerator, softmax, tidy } from "@ai/tensor";
import type { LanguageModel } from "./model.js";

/** Options of {@link generateText}. */
export interface GenerateTextOptions {
  /** Characters to add. */
  readonly length: number;
  /** Characters that the model can look back on. */
  readonly contextLength: number;
  readonly seed: number;
}

/** Goes on from a prompt, each character drawn by the model's probabilities. */
export async function generateText(
  model: LanguageModel,
  vocabulary: readonly string[],
  prompt: string,
  { length, contextLength, seed }: GenerateTextOptions,
): Promise<string> {
  const generator = new RandomGenerator(seed);
  const ids = [...prompt].map((character) => vocabulary.indexOf(character));
  model.eval();
  for (let step = 0; step < length; step++) {
    const window = Int32Array.from(ids.slice(-contextLength));
    const probabilities = noGrad(() =>
      tidy(() => {
        const scores = model.call(fromValues(window, [1, window.length], "int32")); // [1, window, vocab]
        return softmax(narrow(scores, { axis: 1, start: window.length - 1, length: 1 })); // [1, 1, vocab]
      }),
    );
    const values = await probabilities.data();
    dispose(probabilities);
    ids.push(draw(values, generator.uniform()));
  }
  return ids.map((id) => vocabulary[id]).join("");
}

/** The first id at which the summed probabilities are above `share`. */
function draw(probabilities: ArrayLike<number>, share: number): number {
  let sum = 0;
  for (let id = 0; id < probabilities.length; id++) {
    sum += probabilities[id];
    if (share < sum) return id;
  }
  return probabilities.length - 1;
}
