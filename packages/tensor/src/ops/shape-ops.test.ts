import { expect, it } from "vitest";
import * as ai from "../index.js";
import { describeFixtureCases, type FixtureOp } from "../testing/describe-fixture-cases.js";
import { describeEachDevice, loadFixture } from "../testing/index.js";

const fixture = await loadFixture(new URL("../../fixtures/ops-shape.safetensors", import.meta.url));

type Move = (inputs: ai.Tensor[]) => ai.Tensor | ai.Tensor[];

/** What each stored case does; `any` serves the dtypes. */
const MOVES: Readonly<Record<string, Readonly<Record<string, Move>>>> = {
  reshape: { any: ([x]) => ai.reshape(x, [-1, 2]) },
  transpose: {
    any: ([x]) => ai.transpose(x),
    heads: ([x]) => ai.transpose(x, [0, 2, 1, 3]),
    rank5: ([x]) => ai.transpose(x, [4, 2, 0, 3, 1]),
    rank6: ([x]) => ai.transpose(x, [-1, 0, 4, 1, 3, 2]),
    ones: ([x]) => ai.transpose(x, [1, 0, 2]),
  },
  squeeze: { all: ([x]) => ai.squeeze(x), last: ([x]) => ai.squeeze(x, { axes: -1 }) },
  expandDims: {
    first: ([x]) => ai.expandDims(x, 0),
    last: ([x]) => ai.expandDims(x, -1),
    middle: ([x]) => ai.expandDims(x, 1),
  },
  broadcastTo: {
    any: ([x]) => ai.broadcastTo(ai.expandDims(x, 1), [2, 4, 3]),
    lead: ([x]) => ai.broadcastTo(x, [2, 3, 4]),
    inner: ([x]) => ai.broadcastTo(x, [2, 3, 4]),
    last: ([x]) => ai.broadcastTo(x, [2, 3, 4]),
    scalar: ([x]) => ai.broadcastTo(x, [2, 3, 4]),
  },
  flatten: {
    all: ([x]) => ai.flatten(x),
    from1: ([x]) => ai.flatten(x, { startAxis: 1 }),
    upTo1: ([x]) => ai.flatten(x, { endAxis: 1 }),
    scalar: ([x]) => ai.flatten(x),
  },
  flip: {
    any: ([x]) => ai.flip(x, { axes: 1 }),
    all: ([x]) => ai.flip(x),
    two: ([x]) => ai.flip(x, { axes: [0, -1] }),
    rank6: ([x]) => ai.flip(x, { axes: [1, 3, 5] }),
  },
  tile: {
    any: ([x]) => ai.tile(x, [2, 3]),
    lead: ([x]) => ai.tile(x, [2, 1, 3]),
    last: ([x]) => ai.tile(x, [2]),
    rank5: ([x]) => ai.tile(x, [2, 1, 2, 1, 3]),
    none: ([x]) => ai.tile(x, [0, 2]),
  },
  roll: {
    any: ([x]) => ai.roll(x, { shifts: 1, axes: 1 }),
    flat: ([x]) => ai.roll(x, { shifts: 4 }),
    two: ([x]) => ai.roll(x, { shifts: [1, -2], axes: [0, 2] }),
    around: ([x]) => ai.roll(x, { shifts: -9, axes: 1 }),
  },
  concat: {
    any: ([x]) => ai.concat([x, x, x], { axis: 1 }),
    first: (x) => ai.concat(x),
    last: (x) => ai.concat(x, { axis: -1 }),
    empty: (x) => ai.concat(x),
    many: (x) => ai.concat(x),
  },
  stack: { any: ([x]) => ai.stack([x, x], { axis: 1 }), last: (x) => ai.stack(x, { axis: -1 }) },
  split: {
    any: ([x]) => ai.split(x, [1, 2], { axis: 1 }),
    three: ([x]) => ai.split(x, 3, { axis: 1 }),
    empty: ([x]) => ai.split(x, [0, 2, 1], { axis: -1 }),
  },
  unstack: { any: ([x]) => ai.unstack(x), last: ([x]) => ai.unstack(x, { axis: -1 }) },
};

/** Squares floats, as the stored cases do. */
const squared =
  (moves: Readonly<Record<string, Move>>): FixtureOp =>
  (inputs, kind) =>
    [(moves[kind] ?? moves.any)(inputs)]
      .flat()
      .map((part) => (part.dtype === "float32" ? ai.square(part) : part));

const dtypes: Readonly<Record<string, ai.DType>> = { float: "float32", int32: "int32", bool: "bool" };

describeFixtureCases("shape ops against PyTorch", fixture, {
  ...Object.fromEntries(Object.entries(MOVES).map(([name, moves]) => [name, squared(moves)])),
  cast: ([x], kind) =>
    kind
      .split("-")
      .slice(1)
      .reduce((value, dtype) => ai.cast(value, dtypes[dtype]), x),
});

describeEachDevice("shape ops", () => {
  it("returns new tensors even where nothing moves", () => {
    const x = ai.ones([2, 3]);
    const moved = [
      ai.cast(x, "float32"),
      ai.reshape(x, [2, 3]),
      ai.transpose(x, [0, 1]),
      ai.squeeze(x),
      ai.broadcastTo(x, [2, 3]),
      ai.flip(x, { axes: [] }),
      ai.tile(x, [1]),
      ai.roll(x, { shifts: 3, axes: 1 }),
      ai.concat([x]),
      ...ai.split(x, 1),
    ];
    for (const result of moved) {
      expect(result.shape).toEqual([2, 3]);
      expect(result).not.toBe(x);
      result.dispose();
    }
    expect(x.isDisposed).toBe(false);
    x.dispose();
  });

  it("keeps integers and NaN as they are, and joins dtypes to the larger", async () => {
    const ints = ai.tensor([16777217, -1], undefined, "int32");
    const truth = ai.tensor([true]);
    const floats = ai.tensor([Number.NaN]);
    const joined = ai.concat([truth, ints]);
    await expect(joined).toBeCloseToTensor({ shape: [3], dtype: "int32", values: [1, 16777217, -1] });
    const mixed = ai.concat([truth, floats]);
    await expect(mixed).toBeCloseToTensor({ shape: [2], dtype: "float32", values: [1, Number.NaN] });
    ai.dispose([ints, truth, floats, joined, mixed]);
  });

  it("moves tensors without elements", () => {
    const x = ai.zeros([2, 0, 3]);
    const results = [
      [ai.transpose(x), [3, 0, 2]],
      [ai.reshape(x, [0, 7]), [0, 7]],
      [ai.reshape(x, [-1, 3]), [0, 3]],
      [ai.flip(x), [2, 0, 3]],
      [ai.tile(x, [2, 2, 2]), [4, 0, 6]],
      [ai.roll(x, { shifts: 1, axes: 1 }), [2, 0, 3]],
      [ai.stack([x, x]), [2, 2, 0, 3]],
      [ai.broadcastTo(ai.zeros([2, 0, 1]), [2, 0, 3]), [2, 0, 3]],
      [ai.flatten(x), [0]],
    ] as const;
    for (const [result, shape] of results) {
      expect(result.shape).toEqual(shape);
      result.dispose();
    }
    expect(ai.unstack(x, { axis: 1 })).toEqual([]);
    x.dispose();
  });

  it("refuses shapes, axes and counts that do not fit", () => {
    const x = ai.zeros([2, 3]);
    const y = ai.zeros([2, 4]);
    const bad: [() => unknown, RegExp][] = [
      [() => ai.reshape(x, [4]), /reshape: expected a shape of 6 elements, got \[4\] for \[2, 3\]/],
      [() => ai.reshape(x, [-1, -1]), /reshape: expected at most one size of −1/],
      [() => ai.reshape(x, [-1, 4]), /reshape: expected a shape of 6 elements, got \[-1, 4\] for \[2, 3\]/],
      [() => ai.transpose(x, [0]), /transpose: expected each of the 2 axes once, got \[0\]/],
      [() => ai.transpose(x, [0, 0]), /transpose: expected each of the 2 axes once/],
      [() => ai.transpose(x, [0, 2]), /transpose: expected an axis in \[-2, 2\), got 2/],
      [() => ai.squeeze(x, { axes: 0 }), /squeeze: expected axes of size 1, got size 2 for axis 0/],
      [() => ai.expandDims(x, 3), /expandDims: expected an axis in \[-3, 3\), got 3/],
      [() => ai.broadcastTo(x, [3, 3]), /broadcastTo: expected shapes that broadcast/],
      [() => ai.broadcastTo(x, [3]), /broadcastTo: expected a shape that broadcasts to \[3\], got \[2, 3\]/],
      [() => ai.flatten(x, { startAxis: 1, endAxis: 0 }), /flatten: expected startAxis before endAxis/],
      [() => ai.flip(x, { axes: [0, 0] }), /flip: expected distinct axes/],
      [() => ai.tile(x, [1.5]), /tile: expected non-negative whole repeats/],
      [() => ai.roll(x, { shifts: [1, 2] }), /roll: expected one whole shift an axis/],
      [() => ai.roll(x, { shifts: 0.5, axes: 0 }), /roll: expected one whole shift an axis/],
      [() => ai.concat([]), /concat: expected an array of at least one tensor/],
      [() => ai.concat([x, y]), /concat: expected shapes that differ only in axis 0/],
      [() => ai.stack([x, y]), /stack: expected tensors of one shape/],
      [() => ai.split(x, 4, { axis: 1 }), /split: expected a count that divides 3, got 4/],
      [() => ai.split(x, [1, 1], { axis: 1 }), /split: expected whole sizes that add up to 3, got \[1, 1\]/],
      [() => ai.unstack(x, { axis: 2 }), /unstack: expected an axis/],
      [() => ai.cast(x, "float64" as ai.DType), /cast: expected float32, int32 or bool, got float64/],
    ];
    for (const [call, message] of bad) expect(call).toThrow(message);
    ai.dispose([x, y]);
  });
});
