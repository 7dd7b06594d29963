import {
  add,
  arange,
  expandDims,
  gather,
  InputError,
  less,
  maximum,
  mul,
  reshape,
  ShapeError,
  sub,
  type Tensor,
  tensor,
  where,
} from "@ai/tensor";
import { assertTensor, formatShape } from "../checks.js";

/** Steps of each sequence of a batch, `[batch]` int32 or plain numbers. */
export type SequenceLengths = Tensor | readonly number[];

/** What the lengths of a batch mean for tensors `[length, batch, …]`. */
export interface SequenceMask {
  /** True inside a sequence, `[length, batch, 1]` bool. */
  readonly inside: Tensor;
  /** Row in `[length · batch]` of each row after every sequence is turned round within its length, int32. */
  readonly reversed: Tensor;
  /** Row in `[length · batch]` of each sequence's last step, `[batch]` int32; its first row where it has no step. */
  readonly last: Tensor;
  /** True for sequences of at least one step, `[batch, 1]` bool. */
  readonly some: Tensor;
}

/**
 * Lengths as an int32 tensor of the surrounding tidy.
 * @returns `[batch]` int32
 * @throws ShapeError for another number of them; InputError for numbers that are no integers in [0, length] and for other dtypes;
 * KernelError when a tensor has one out of range: here when the host has it, on a GPU at the next awaited read.
 */
export function lengthTensor(lengths: SequenceLengths, batch: number, length: number): Tensor {
  if (!Array.isArray(lengths)) {
    const given = lengths as Tensor;
    assertTensor(given, "lengths, or an array of numbers");
    if (given.dtype !== "int32")
      throw new InputError(`expected int32 lengths, got ${given.dtype}; cast them first`);
    if (given.shape.length !== 1 || given.shape[0] !== batch)
      throw new ShapeError(`expected lengths [${batch}], got ${formatShape(given.shape)}`);
    return gather(arange(0, length + 1), given); // itself, or a KernelError
  }
  const numbers: readonly number[] = lengths;
  if (numbers.length !== batch) throw new ShapeError(`expected lengths [${batch}], got [${numbers.length}]`);
  if (numbers.some((steps) => !Number.isInteger(steps) || steps < 0 || steps > length))
    throw new InputError(`expected integer lengths in [0, ${length}], got [${numbers.join(", ")}]`);
  return tensor(Int32Array.from(numbers), [batch]);
}

/** @param steps `[batch]` int32, of {@link lengthTensor} */
export function sequenceMask(steps: Tensor, batch: number, length: number): SequenceMask {
  const time = expandDims(arange(0, length), 1); // [length, 1]
  const item = arange(0, batch);
  const inside = less(time, steps); // [length, batch]
  const mirrored = where(inside, sub(sub(steps, 1), time), time);
  return {
    inside: expandDims(inside, 2), // [length, batch, 1]
    reversed: reshape(add(mul(mirrored, batch), item), [length * batch]),
    last: add(mul(maximum(sub(steps, 1), 0), batch), item),
    some: expandDims(less(0, steps), 1), // [batch, 1]
  };
}

/** 0 in place of what lies behind the sequences. @param x `[length, batch, dim]` */
export function clearPadding(x: Tensor, { inside }: SequenceMask): Tensor {
  return where(inside, x, 0);
}

/** Turns every sequence round within its length; the padding stays. @param x `[length, batch, dim]` */
export function reverseWithin(x: Tensor, { reversed }: SequenceMask): Tensor {
  const [length, batch, dim]: readonly number[] = x.shape;
  return reshape(gather(reshape(x, [length * batch, dim]), reversed), x.shape);
}

/** Each sequence's last state. @param states `[length, batch, dim]` @param first what sequences without a step keep, `[batch, dim]` */
export function lastWithin(states: Tensor, first: Tensor, { last, some }: SequenceMask): Tensor {
  const [length, batch, dim]: readonly number[] = states.shape;
  return where(some, gather(reshape(states, [length * batch, dim]), last), first); // [batch, dim]
}
