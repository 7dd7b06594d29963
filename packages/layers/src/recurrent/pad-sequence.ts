import {
  InputError,
  narrow,
  pad,
  ShapeError,
  squeeze,
  stack,
  type Tensor,
  type TypedArray,
  tensor,
  tidy,
} from "@ai/tensor";
import { formatShape } from "../checks.js";
import { assertOptionNames } from "../training/option-names.js";

/** Options of {@link padSequence}. */
export interface PadSequenceOptions {
  /** What fills the steps behind the end of a sequence. Default 0. */
  readonly paddingValue?: number;
  /** Length of the result. Default that of the longest sequence. */
  readonly totalLength?: number;
}

/** Sequences in one tensor. */
export interface PaddedSequences {
  /** `[batch, length, ...]` */
  readonly padded: Tensor;
  /** Steps of each sequence, as recurrent layers, the conditional random field and CTC take them. */
  readonly lengths: number[];
}

/**
 * Puts sequences of different lengths into one tensor (`torch.nn.utils.rnn.pad_sequence`), in any order, empty ones too.
 * @param sequences at least one, `[length_i, ...]`, alike but for their lengths; or typed arrays of one kind, `[length_i]`,
 *   where a `Uint8Array` of 0 and 1 gives bool
 * @returns `padded` `[batch, length, ...]` and `lengths`
 * @throws InputError for no sequences, arrays of several kinds, numbers that they do not hold or a total length that is too short. @throws ShapeError when
 * other axes differ.
 * @example
 * const { padded, lengths } = padSequence([first, second]); // [5, 16] and [3, 16] give [2, 5, 16] and [5, 3]
 * const { output } = lstm.call(padded, { lengths });
 */
export function padSequence(
  sequences: readonly Tensor[] | readonly TypedArray[],
  options: PadSequenceOptions = {},
): PaddedSequences {
  assertOptionNames("padSequence", options, ["paddingValue", "totalLength"]);
  if (!Array.isArray(sequences) || sequences.length === 0)
    throw new InputError("padSequence: expected an array of at least one tensor, got none");
  const { paddingValue: value = 0 } = options;
  if (sequences.every((sequence) => ARRAYS.some((kind) => sequence instanceof kind)))
    return padArrays(sequences, value, options.totalLength);
  for (const sequence of sequences as readonly Tensor[]) {
    if (sequence?.shape?.length > 0) continue;
    throw new ShapeError("padSequence: expected sequences [length, ...], got something else");
  }
  const [, ...rest]: readonly number[] = sequences[0].shape;
  const odd = sequences.find(({ shape }) => formatShape(shape.slice(1)) !== formatShape(rest));
  if (odd !== undefined)
    throw new ShapeError(
      `padSequence: expected sequences [length, ${rest.join(", ")}], got ${formatShape(odd.shape)}`,
    );
  const lengths: number[] = sequences.map(({ shape }) => shape[0]);
  const totalLength = totalOf(lengths, options.totalLength);
  const padded = tidy(() =>
    stack(
      sequences.map((sequence: Tensor) => {
        const paddings = sequence.shape.map((length, axis): [number, number] => [
          0,
          axis === 0 ? totalLength - length : 0,
        ]);
        return pad(sequence, paddings, { value }); // [length, ...]
      }),
    ),
  );
  return { padded, lengths };
}

const ARRAYS = [Float32Array, Int32Array, Uint8Array] as const;

/** Arrays in one, which goes to the device at once. */
function padArrays(
  arrays: readonly TypedArray[],
  value: number,
  wanted: number | undefined,
): PaddedSequences {
  const kind = ARRAYS.find((each) => arrays[0] instanceof each)!;
  if (!arrays.every((array) => array instanceof kind))
    throw new InputError(
      `padSequence: expected arrays of one kind, got ${kind.name} and others; convert one of them`,
    );
  const holds = (number: number): boolean =>
    kind === Float32Array || (kind === Int32Array ? (number | 0) === number : number === 0 || number === 1);
  if (!holds(value))
    throw new InputError(
      `padSequence: expected an integer paddingValue ${kind === Int32Array ? "of 32 bits" : "of 0 or 1"} for ${kind.name}, got ${value}`,
    );
  const byte = kind === Uint8Array && arrays.find((array) => array.some((number) => number > 1));
  if (byte)
    throw new InputError(
      "padSequence: expected a Uint8Array of 0 and 1, which is bool, got larger numbers; make an Int32Array or Float32Array of it",
    );
  const lengths = arrays.map(({ length }) => length);
  const totalLength = totalOf(lengths, wanted);
  const values = new kind(arrays.length * totalLength).fill(value);
  arrays.forEach((array, row) => {
    values.set(array, row * totalLength);
  });
  return { padded: tensor(values, [arrays.length, totalLength]), lengths };
}

/** @throws InputError for a total length below the longest. */
function totalOf(lengths: readonly number[], wanted: number | undefined): number {
  const longest = Math.max(...lengths);
  const total = wanted ?? longest;
  if (Number.isInteger(total) && total >= longest) return total;
  throw new InputError(
    `padSequence: expected a totalLength of at least ${longest}, the longest sequence, got ${total}`,
  );
}

/**
 * The sequences of a padded tensor (`torch.nn.utils.rnn.unpad_sequence`), the inverse of {@link padSequence}.
 * @param padded `[batch, length, ...]` @param lengths steps of each sequence, `[batch]` numbers
 * @returns `[length_i, ...]` each
 * @throws ShapeError for another number of lengths. @throws InputError for lengths out of range.
 * @example
 * const [first, second] = unpadSequence(output, lengths); // [2, 5, 32] gives [5, 32] and [3, 32]
 */
export function unpadSequence(padded: Tensor, lengths: readonly number[]): Tensor[] {
  if (!(padded?.shape?.length >= 2))
    throw new ShapeError(
      `unpadSequence: expected a tensor [batch, length, ...], got ${padded?.shape === undefined ? typeof padded : formatShape(padded.shape)}`,
    );
  const [batch, length]: readonly number[] = padded.shape;
  if (!Array.isArray(lengths) || lengths.length !== batch)
    throw new ShapeError(
      `unpadSequence: expected ${batch} lengths as an array of numbers, got ${Array.isArray(lengths) ? lengths.length : typeof lengths}`,
    );
  const wrong = lengths.find((steps: number) => !Number.isInteger(steps) || steps < 0 || steps > length);
  if (wrong !== undefined)
    throw new InputError(`unpadSequence: expected integer lengths in [0, ${length}], got ${wrong}`);
  return tidy(() =>
    lengths.map((steps: number, item: number) => {
      const row = squeeze(narrow(padded, { axis: 0, start: item, length: 1 }), { axes: 0 }); // [length, ...]
      return narrow(row, { axis: 0, start: 0, length: steps });
    }),
  );
}
