import type { Tensor } from "@tensorflow/tfjs-core";
import { isTensor } from "../arguments.js";
import { hostValues } from "../backends/host/values.js";
import { DTypeError, InputError, KernelError, ShapeError } from "../errors.js";
import { formatShape, sameShape } from "../shape.js";
import { tensor, zeros } from "../tensor.js";

/** What the lengths of a batch are checked against. */
interface ItemLengthChecks {
  /** The op and the option, for errors. */
  readonly operation: string;
  readonly name: string;
  readonly batch: number;
  /** The largest length allowed, and every item's where none are given. */
  readonly largest: number;
}

/**
 * How much of each item of a batch counts. @returns `[batch]` int32
 * @throws InputError, DTypeError, ShapeError for what is no length an item. @throws KernelError for one out of range, where the host has the values.
 */
export function itemLengths(
  value: Tensor | readonly number[] | undefined,
  { operation, name, batch, largest }: ItemLengthChecks,
): Tensor {
  if (value === undefined) return zeros([batch], "int32", largest);
  if (!isTensor(value) && !Array.isArray(value))
    throw new InputError(
      `${operation}: expected ${name} as an int32 tensor or an array of numbers, got ${value === null ? "null" : typeof value}`,
    );
  if (isTensor(value) && value.dtype !== "int32")
    throw new DTypeError(`${operation}: expected int32 ${name}, got ${value.dtype}; cast them first`);
  const shape = isTensor(value) ? value.shape : [value.length];
  if (!sameShape(shape, [batch]))
    throw new ShapeError(
      `${operation}: expected ${name} of shape [${batch}], one an item, got ${formatShape(shape)}`,
    );
  const values = isTensor(value) ? hostValues(value) : (value as readonly number[]);
  for (const length of values ?? [])
    if (!Number.isInteger(length) || length < 0 || length > largest)
      throw new KernelError(
        `${operation}: expected ${name} in [0, ${largest}], got ${length}; check the padding`,
      );
  return isTensor(value) ? value : tensor(Int32Array.from(value as readonly number[]), [batch]);
}
