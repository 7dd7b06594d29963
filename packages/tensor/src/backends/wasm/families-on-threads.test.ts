import { expect, it } from "vitest";
import { grad } from "../../autograd.js";
import { useDevice } from "../../device.js";
import type { TypedArray } from "../../dtype.js";
import { rotaryEmbedding } from "../../kernels/rotary-embedding/rotary-embedding.js";
import { dispose, tidy } from "../../memory.js";
import {
  hardSigmoid,
  hardSwish,
  leakyRelu,
  logSigmoid,
  mish,
  relu6,
  selu,
  silu,
  softplus,
} from "../../ops/activations.js";
import { add, atan2, floorDivide, maximum, mul, pow, remainder } from "../../ops/arithmetic.js";
import { cast } from "../../ops/cast.js";
import { equal, greater, less, where } from "../../ops/compare.js";
import { concat } from "../../ops/concat.js";
import { cumprod, cumsum } from "../../ops/cumulative.js";
import { interpolate } from "../../ops/image.js";
import { gather, oneHot, scatterAdd, takeAlongAxis } from "../../ops/indexing.js";
import { maxPool2dWithIndices } from "../../ops/max-pool-indices.js";
import { all, any, argMax, argMin, max, mean, min, prod, sum } from "../../ops/reduce.js";
import { tile, transpose } from "../../ops/shape-ops.js";
import { pad, slice } from "../../ops/slice.js";
import { logSoftmax, softmax } from "../../ops/softmax.js";
import { argsort, sort, topK } from "../../ops/sort.js";
import { norm } from "../../ops/statistics.js";
import { acos, asinh, cosh, sin } from "../../ops/trigonometry.js";
import { exp, isNaN as isNan, sign } from "../../ops/unary.js";
import { read, type Tensor, tensor } from "../../tensor.js";
import { randomInput, randomStream } from "../../testing/wasm-kernels.js";
import { expectSameOnThreads } from "../../testing/wasm-threads.js";

/** What `compute` makes of random floats of the given shapes. */
async function results(
  shapes: readonly number[][],
  compute: (...inputs: Tensor[]) => Tensor[],
): Promise<TypedArray[]> {
  const random = randomStream(21);
  const inputs = shapes.map((shape) => tensor(randomInput(random, shape).values, shape));
  const made = tidy(() => compute(...inputs));
  const values = await Promise.all(made.map(read));
  dispose([inputs, made]);
  // booleans are bytes: whole words are compared
  return values.map((each) => (each instanceof Uint8Array ? Int32Array.from(each) : (each as TypedArray)));
}

it("elementwise ops, broadcasting and choosing give the same bits on any number of threads", async () => {
  await useDevice("wasm");
  await expectSameOnThreads(() =>
    results([[3, 5, 67], [5, 67], [67], [3, 5, 1], [3, 1, 67]], (x, rows, row, column, middle) => [
      exp(x),
      add(x, rows),
      add(x, row),
      mul(x, column),
      mul(middle, column),
      where(greater(x, middle), x, column),
      cast(cast(x, "int32"), "bool"),
      pow(x, row),
      remainder(rows, x),
      floorDivide(x, column),
      sin(mul(x, 1e7)),
      sign(x),
      acos(x),
      asinh(x),
      cosh(x),
      atan2(x, column),
      equal(greater(x, 0), greater(column, 0)),
      where(greater(rows, 0), greater(x, 0), greater(middle, 0)),
    ]),
  );
});

it("activations, their gradients and rotary positions do", async () => {
  await useDevice("wasm");
  const activations = [silu, mish, hardSwish, hardSigmoid, logSigmoid, selu, softplus, relu6, leakyRelu];
  await expectSameOnThreads(() =>
    results(
      [
        [15, 67],
        [2, 3, 5, 22],
        [5, 9],
        [2, 1, 5, 9],
      ],
      (x, heads, table, tables) => [
        ...activations.map((activation) => activation(mul(x, 7))),
        ...activations.map((activation) => grad((y) => sum(activation(mul(y, 7))), [x])[0]),
        rotaryEmbedding(heads, { cosine: table, sine: table }),
        rotaryEmbedding(heads, { cosine: tables, sine: tables, interleaved: true }),
      ],
    ),
  );
});

it("elementwise ops of int32 do", async () => {
  await useDevice("wasm");
  await expectSameOnThreads(() =>
    results(
      [
        [3, 5, 67],
        [5, 67],
      ],
      (x, rows) => {
        const [a, b] = [cast(mul(x, 1e5), "int32"), cast(mul(rows, 9), "int32")];
        return [
          add(a, b),
          mul(a, b),
          maximum(a, b),
          pow(a, b),
          floorDivide(a, b),
          remainder(a, b),
          less(a, b),
          sign(a),
        ];
      },
    ),
  );
});

it("copies, gathers and scatters do", async () => {
  await useDevice("wasm");
  const indices = tensor(
    Array.from({ length: 40 }, (_, i) => (i * 7) % 9),
    [40],
    "int32",
  );
  const places = tensor(
    Array.from({ length: 11 * 70 }, (_, i) => (i * 5) % 11),
    [11, 70],
    "int32",
  );
  await expectSameOnThreads(() =>
    results(
      [
        [11, 70],
        [7, 33, 18],
        [11, 70],
        [9, 3],
      ],
      (x, cube, y, narrow) => [
        transpose(x),
        transpose(cube, [2, 0, 1]),
        transpose(cube, [1, 0, 2]),
        slice(cube, [1, 2, 3], [5, 30, 13]),
        pad(cube, [
          [1, 0],
          [2, 3],
          [0, 1],
        ]),
        concat([x, y], { axis: 1 }),
        tile(x, [2, 3]),
        gather(x, indices),
        // gradients of embeddings: rows wide enough to be cut by columns, and narrow ones
        grad((table) => sum(mul(gather(table, indices), gather(y, indices))), [x])[0],
        grad((table) => sum(mul(gather(table, indices), 1.7)), [narrow])[0],
        takeAlongAxis(x, places, { axis: 0 }),
        scatterAdd(x, places, y, { axis: 0 }),
      ],
    ),
  );
  dispose([indices, places]);
});

it("reductions do, long rows and tall columns included", async () => {
  await useDevice("wasm");
  await expectSameOnThreads(() =>
    results([[100_003], [50_001, 3], [5, 130, 140], [3, 40_000]], (line, tall, cube, long) => [
      sum(line),
      sum(tall, { axes: 0 }),
      max(tall, { axes: 0 }),
      mean(cube, { axes: 1 }),
      sum(cube, { axes: [0, 2] }),
      mean(long, { axes: 1 }),
      norm(line),
      norm(cube, { axes: [1, 2] }),
      norm(long, { axes: 1, order: Infinity }),
      min(long),
      prod(cube, { axes: 2 }),
      argMax(cube, { axis: 1 }),
      argMin(long, { axis: 1 }),
      softmax(cube),
      logSoftmax(cube),
      grad((x) => sum(mul(softmax(x), x)), [cube])[0],
    ]),
  );
});

it("sorting, running sums, resizing, one-hot and truth values do", async () => {
  await useDevice("wasm");
  const classes = tensor(
    Array.from({ length: 70 }, (_, i) => (i * 3) % 11),
    [70],
    "int32",
  );
  await expectSameOnThreads(() =>
    results(
      [
        [3, 20_011],
        [70, 11],
        [5, 40, 3],
        [2, 9, 7, 5],
      ],
      (long, lines, cube, image) => [
        sort(long, { descending: true }).indices,
        argsort(lines, { axis: 0 }),
        topK(long, 20).values,
        cumsum(lines, { axis: 0 }),
        cumsum(long, { axis: 1, reverse: true }),
        cumprod(cube, { axis: 1, exclusive: true }),
        interpolate(image, { size: [5, 13], mode: "bicubic", antialias: true }),
        oneHot(classes, 11),
        any(greater(cube, 1), { axes: 1 }),
        all(isNan(cube), { axes: [0, 1] }),
        sum(cast(mul(lines, 100), "int32"), { axes: 0 }),
        argMax(cast(mul(lines, 100), "int32"), { axis: 0 }),
        maxPool2dWithIndices(image, { kernelSize: 3, stride: 2, padding: 1 }).indices,
      ],
    ),
  );
  dispose(classes);
});

it("long lines are sorted as JavaScript sorts them: equals keep their order, NaN is the largest", async () => {
  await useDevice("wasm");
  const random = randomStream(5);
  const values = Float32Array.from({ length: 20_000 }, () => {
    const value = random();
    return value < 0.01
      ? Number.NaN
      : value < 0.02
        ? -0
        : value < 0.03
          ? Infinity
          : Math.round(value * 2000) - 900;
  });
  for (const descending of [false, true])
    for (const length of [20, 500, 20_000]) {
      const order = Array.from({ length }, (_, i) => i).sort((i, j) => {
        const [a, b] = [values[i], values[j]];
        if (Number.isNaN(a) || Number.isNaN(b)) {
          const both = Number(Number.isNaN(a)) - Number(Number.isNaN(b));
          return both === 0 ? i - j : descending ? -both : both;
        }
        const difference = a === b ? 0 : a - b;
        return difference === 0 ? i - j : descending ? -difference : difference;
      });
      const x = tensor(values.slice(0, length), [length]);
      const whole = argsort(x, { descending });
      const few = topK(x, 10, { largest: descending });
      expect([...(await read(whole))]).toEqual(order);
      expect([...(await read(few.indices))]).toEqual(order.slice(0, 10));
      dispose([x, whole, few.values, few.indices]);
    }
});

it("sums over axes that are no neighbours equal the sums one after the other", async () => {
  await useDevice("wasm");
  const [both, after] = await results([[6, 5, 4, 3]], (x) => [
    sum(x, { axes: [0, 2] }),
    sum(sum(x, { axes: 2 }), { axes: 0 }),
  ]);
  expect(both.length).toBe(15);
  both.forEach((value, i) => {
    expect(value).toBeCloseTo(after[i], 5);
  });
});
