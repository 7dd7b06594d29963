import type { Module } from "@ai/layers";
import { dispose, read, softmax, tensor, tidy } from "@ai/tensor";
import { type DigitSet, IMAGE_SIZE, normalizePixels } from "./mnist.js";
import type { Mistake } from "./report.js";

const BATCH_SIZE = 200;
const DIGITS = 10;
const PIXELS = IMAGE_SIZE * IMAGE_SIZE;
/** Mistakes that the report shows. */
const SHOWN_MISTAKES = 24;

/** A model's answers on a set of digits. */
export interface Prediction {
  /** `[count]` the answered digit. */
  readonly answers: Uint8Array;
  readonly accuracy: number;
  /** Rows: truth; columns: answer. */
  readonly confusion: number[][];
  /** The mistakes that the model was surest of. */
  readonly mistakes: Mistake[];
}

/** Runs a model over a whole set. @throws the reason of `signal` once aborted. */
export async function predict(model: Module, digits: DigitSet, signal?: AbortSignal): Promise<Prediction> {
  const { count, labels, images } = digits;
  const answers = new Uint8Array(count);
  const confidences = new Float32Array(count);
  model.eval();
  for (let start = 0; start < count; start += BATCH_SIZE) {
    signal?.throwIfAborted();
    const end = Math.min(start + BATCH_SIZE, count);
    const pixels = normalizePixels(images.subarray(start * PIXELS, end * PIXELS));
    const probabilities = tidy(() =>
      softmax(model.call(tensor(pixels, [end - start, IMAGE_SIZE, IMAGE_SIZE, 1]))),
    ); // [batch, 10]
    const values = await read(probabilities);
    dispose(probabilities);
    for (let row = 0; row < end - start; row++) {
      const scores = values.subarray(row * DIGITS, (row + 1) * DIGITS);
      const answer = scores.indexOf(Math.max(...scores));
      answers[start + row] = answer;
      confidences[start + row] = scores[answer];
    }
  }
  const confusion = Array.from({ length: DIGITS }, () => new Array<number>(DIGITS).fill(0));
  const wrong: number[] = [];
  answers.forEach((answer, index) => {
    confusion[labels[index]][answer]++;
    if (answer !== labels[index]) wrong.push(index);
  });
  wrong.sort((a, b) => confidences[b] - confidences[a]);
  return {
    answers,
    accuracy: 1 - wrong.length / count,
    confusion,
    mistakes: wrong.slice(0, SHOWN_MISTAKES).map((index) => ({
      pixels: images.slice(index * PIXELS, (index + 1) * PIXELS),
      truth: labels[index],
      answer: answers[index],
      confidence: confidences[index],
    })),
  };
}
