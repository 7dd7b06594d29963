import {
  add,
  arange,
  argsort,
  cast,
  expandDims,
  gather,
  InputError,
  less,
  logicalNot,
  mul,
  reshape,
  ShapeError,
  sum,
  type Tensor,
  takeAlongAxis,
  where,
} from "@ai/tensor";
import { assertShape, assertTensor, formatShape } from "../checks.js";
import { lengthTensor, type SequenceLengths } from "../recurrent/lengths.js";

/** Which steps of a batch count. */
export interface StepOptions {
  /** Steps of each sequence that count, `[batch]` int32 or plain numbers; those behind are padding. Default: all. */
  readonly lengths?: SequenceLengths;
  /** Which steps count, `[batch, length]` bool, instead of lengths: the others are as if they were not there. */
  readonly mask?: Tensor;
}

/** A batch whose steps that count stand in front. */
export interface CompactSteps {
  /** `[batch, length, tags]`, 0 behind the end of a sequence. */
  readonly emissions: Tensor;
  /** `[batch]` int32 */
  readonly lengths: Tensor;
  /** True inside a sequence, `[batch, length]` bool. */
  readonly inside: Tensor;
  /** Brings the steps of int32 `[batch, length]` in front. */
  readonly compact: (values: Tensor) => Tensor;
  /** Brings `[batch, length, tags]` back to where the steps were, 0 at those that do not count. */
  readonly spread: (values: Tensor) => Tensor;
}

/** @throws InputError for both at once, or a mask that is not bool; ShapeError for one of another shape. */
function assertStepOptions({ lengths, mask }: StepOptions, batch: number, length: number): void {
  if (mask === undefined) return;
  if (lengths !== undefined)
    throw new InputError("expected lengths or a mask, got both; pass the one that you have");
  assertTensor(mask, "mask");
  if (mask.dtype !== "bool") throw new InputError(`expected a bool mask, got ${mask.dtype}; cast it first`);
  if (mask.shape.length !== 2 || mask.shape[0] !== batch || mask.shape[1] !== length)
    throw new ShapeError(`expected a mask [${batch}, ${length}], got ${formatShape(mask.shape)}`);
}

/** Rows of `x` `[batch, length, dim]` in the order `[batch, length]`. */
function reorder(x: Tensor, order: Tensor): Tensor {
  const [batch, length, dim]: readonly number[] = x.shape;
  const rows = add(order, mul(expandDims(arange(0, batch), 1), length));
  return reshape(gather(reshape(x, [batch * length, dim]), reshape(rows, [batch * length])), x.shape);
}

/** @param emissions `[batch, length, numTags]` */
export function compactSteps(emissions: Tensor, options: StepOptions, numTags: number): CompactSteps {
  assertShape(emissions, ["batch", "length", "tags"], numTags);
  const [batch, length]: readonly number[] = emissions.shape;
  assertStepOptions(options, batch, length);
  const { mask } = options;
  const all = Array.from({ length: batch }, () => length);
  const lengths =
    mask === undefined
      ? lengthTensor(options.lengths ?? all, batch, length)
      : sum(cast(mask, "int32"), { axes: 1 }); // [batch]
  const inside = less(arange(0, length), expandDims(lengths, 1)); // [batch, length]
  const clear = (values: Tensor, counts: Tensor): Tensor => where(expandDims(counts, 2), values, 0);
  if (mask === undefined || length === 0)
    return {
      emissions: clear(emissions, inside),
      lengths,
      inside,
      compact: (values) => values,
      spread: (values) => clear(values, inside),
    };
  // a stable sort: the steps that count in their order, then the others
  const order = argsort(cast(logicalNot(mask), "int32"), { axis: 1 });
  return {
    emissions: clear(reorder(emissions, order), inside),
    lengths,
    inside,
    compact: (values) => takeAlongAxis(values, order, { axis: 1 }),
    spread: (values) => clear(reorder(values, argsort(order, { axis: 1 })), mask),
  };
}
