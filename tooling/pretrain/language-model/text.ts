import { readFile } from "node:fs/promises";
import type { Dataset } from "@ai/layers/training";
import { fromValues, InputError, type Tensor } from "@ai/tensor";

/** What a target that does not count is; the loss leaves it out. */
const IGNORED = -100;

/** A text as ids, cut into a part to learn from and a part to measure on. */
export interface CharacterText {
  /** The characters that occur, in the order of their code points; an id is a position here. */
  readonly vocabulary: readonly string[];
  readonly train: Int32Array;
  readonly validation: Int32Array;
}

/**
 * Reads a text file; its last tenth is for validation.
 * @param maxCharacters Read no more of it. Default: all.
 */
export async function readText(
  path: string,
  maxCharacters = Number.POSITIVE_INFINITY,
): Promise<CharacterText> {
  const characters = [...(await readFile(path, "utf8")).slice(0, maxCharacters)];
  const vocabulary = [...new Set(characters)].sort();
  const idOf = new Map(vocabulary.map((character, id) => [character, id]));
  const ids = Int32Array.from(characters, (character) => idOf.get(character) as number);
  const border = Math.floor(ids.length * 0.9);
  return { vocabulary, train: ids.subarray(0, border), validation: ids.subarray(border) };
}

/** Characters and, for each, the one behind it. */
export interface CharacterBatch {
  /** `[batch, length]` int32 */
  readonly ids: Tensor;
  /** `[batch, length]` int32; −100 where the character was a target of another window. */
  readonly targets: Tensor;
  /** Targets that count. */
  readonly count: number;
}

/** Windows of equal length of a text, `stride` apart; the last one ends with the text. */
export class TextWindows implements Dataset<never> {
  readonly length: number;
  readonly #ids: Int32Array;
  readonly #window: number;
  readonly #stride: number;

  constructor(ids: Int32Array, window: number, stride: number) {
    if (ids.length <= window)
      throw new InputError(
        `TextWindows: expected more than ${window} characters, got ${ids.length}; shorten the context`,
      );
    this.#ids = ids;
    this.#window = window;
    this.#stride = stride;
    this.length = Math.ceil((ids.length - 1 - window) / stride) + 1;
  }

  get(): never {
    throw new InputError("TextWindows: expected to be read in batches");
  }

  /** Every character but the text's first is the target of exactly one window when each of them is visited. */
  getBatch(indices: Int32Array): CharacterBatch {
    const size = this.#window;
    const ids = new Int32Array(indices.length * size);
    const targets = new Int32Array(indices.length * size).fill(IGNORED);
    let count = 0;
    indices.forEach((index, row) => {
      const start = Math.min(index * this.#stride, this.#ids.length - 1 - size);
      ids.set(this.#ids.subarray(start, start + size), row * size);
      // windows that overlap count what lies behind the one before; with stride 1 all are drawn at random and count whole
      const seen =
        index === 0 || this.#stride === 1 ? start : Math.min((index - 1) * this.#stride + size, start + size);
      targets.set(this.#ids.subarray(seen + 1, start + size + 1), row * size + seen - start);
      count += start + size - seen;
    });
    const shape = [indices.length, size];
    return { ids: fromValues(ids, shape, "int32"), targets: fromValues(targets, shape, "int32"), count };
  }
}
