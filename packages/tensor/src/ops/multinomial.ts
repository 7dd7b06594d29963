import type { Tensor } from "@tensorflow/tfjs-core";
import { assertOptions } from "../arguments.js";
import { readValues } from "../device.js";
import { DTypeError, InputError, ShapeError } from "../errors.js";
import { defaultGenerator, type RandomOptions } from "../random.js";
import { formatShape, sizeOf } from "../shape.js";
import { fromValues } from "../tensor.js";
import { assertTensor } from "./broadcast.js";

/** Options of {@link multinomial}. */
export interface MultinomialOptions extends RandomOptions {
  /** Whether one index may be drawn several times from a row. Default false. */
  readonly replacement?: boolean;
}

/** Words of the generator a draw takes: 53 random bits, so that no class of very many is out of reach. */
const WORDS_PER_DRAW = 2;

/**
 * Draws indices of each row in proportion to its weights (`torch.multinomial`), on the host and in float64: the same
 * indices on every device. Draw `i` takes words `counter + 2i` and `counter + 2i + 1`; the generator moves on at the call.
 * @param weights `[classes]` or `[batch, classes]` float32, finite and at least 0; they need not sum to 1.
 * @param count how many to draw from each row, at least 1.
 * @returns `[count]` or `[batch, count]` int32 in `[0, classes)`, in the order drawn.
 * @throws ShapeError for another rank. @throws DTypeError for another dtype. @throws InputError for a weight that is negative
 * or not finite, a row of zeros, or without replacement fewer weights above 0 than draws.
 * @example
 * const next = await multinomial(softmax(logits), 1); // [batch, vocab] → [batch, 1]
 */
export async function multinomial(
  weights: Tensor,
  count: number,
  options: MultinomialOptions = {},
): Promise<Tensor> {
  assertTensor("multinomial", weights);
  assertOptions("multinomial", options, ["replacement?", "generator"]);
  const { replacement = false, generator = defaultGenerator() } = options;
  const { shape } = weights;
  if (weights.dtype !== "float32")
    throw new DTypeError(`multinomial: expected float32 weights, got ${weights.dtype}; cast them first`);
  if (shape.length !== 1 && shape.length !== 2)
    throw new ShapeError(
      `multinomial: expected weights [classes] or [batch, classes], got ${formatShape(shape)}`,
    );
  if (!Number.isInteger(count) || count < 1)
    throw new InputError(`multinomial: expected a count of at least 1, got ${count}`);
  const classes = shape[shape.length - 1];
  const rows = sizeOf(shape.slice(0, -1));
  const words = generator.words(rows * count * WORDS_PER_DRAW);
  const values = await readValues(weights);
  const drawn = new Int32Array(rows * count);
  const urn = new Urn(classes);
  for (let row = 0; row < rows; row++) {
    const positive = urn.fill(values, row * classes);
    if (positive === 0 || (!replacement && positive < count))
      throw new InputError(
        `multinomial: expected at least ${replacement ? 1 : count} weights above 0 in each row, got ${positive} in row ${row}${replacement || positive === 0 ? "" : "; draw fewer or with replacement"}`,
      );
    for (let draw = row * count; draw < (row + 1) * count; draw++) {
      // the high 27 and 26 bits of two words
      const high = words[draw * WORDS_PER_DRAW] >>> 5;
      const low = words[draw * WORDS_PER_DRAW + 1] >>> 6;
      drawn[draw] = urn.at((high * 2 ** 26 + low) / 2 ** 53);
      if (!replacement) urn.remove(drawn[draw]);
    }
  }
  return fromValues(drawn, [...shape.slice(0, -1), count], "int32");
}

/** Weights under a tree of sums: drawing and removing take as many steps as it has levels. */
class Urn {
  readonly #classes: number;
  readonly #leaves: number;
  /** The sums of node `n` are its children `2n` and `2n + 1`; the root is 1. */
  readonly #sums: Float64Array;

  constructor(classes: number) {
    this.#classes = classes;
    this.#leaves = 2 ** Math.ceil(Math.log2(Math.max(1, classes)));
    this.#sums = new Float64Array(2 * this.#leaves);
  }

  /** Takes the weights from `start` on. @returns how many are above 0. */
  fill(weights: ArrayLike<number>, start: number): number {
    let positive = 0;
    for (let index = 0; index < this.#classes; index++) {
      const weight = weights[start + index];
      if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY))
        throw new InputError(
          `multinomial: expected finite weights of at least 0, got ${weight} at position ${start + index}`,
        );
      if (weight > 0) positive++;
      this.#sums[this.#leaves + index] = weight;
    }
    for (let node = this.#leaves - 1; node >= 1; node--) this.#add(node);
    return positive;
  }

  /** The index under which a part in [0, 1) of the whole lies. */
  at(part: number): number {
    const sums = this.#sums;
    let rest = part * sums[1];
    let node = 1;
    while (node < this.#leaves) {
      const left = sums[2 * node];
      // rounding must not lead to where nothing is
      const goesLeft = sums[2 * node + 1] === 0 || (left > 0 && rest < left);
      if (!goesLeft) rest -= left;
      node = 2 * node + (goesLeft ? 0 : 1);
    }
    return node - this.#leaves;
  }

  /** Takes an index out. */
  remove(index: number): void {
    let node = this.#leaves + index;
    this.#sums[node] = 0;
    for (node >>>= 1; node >= 1; node >>>= 1) this.#add(node);
  }

  #add(node: number): void {
    this.#sums[node] = this.#sums[2 * node] + this.#sums[2 * node + 1];
  }
}
