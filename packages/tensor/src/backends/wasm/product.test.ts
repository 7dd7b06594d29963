import { beforeAll, describe, expect, it } from "vitest";
import { useDevice } from "../../device.js";
import { dispose, tidy } from "../../memory.js";
import { matMul } from "../../ops/matmul.js";
import { squeeze } from "../../ops/shape-ops.js";
import { narrow } from "../../ops/slice.js";
import { fromValues, read } from "../../tensor.js";
import { expectSameAsCpu, randomInput, randomStream } from "../../testing/wasm-kernels.js";

beforeAll(async () => {
  await useDevice("cpu");
  await useDevice("wasm");
});

/** Sizes around the tile (4×8), the blocks (96 rows, 320 deep) and odd remainders. */
const SIZES: readonly [rows: number, columns: number, depth: number][] = [
  [1, 1, 1],
  [4, 8, 4],
  [5, 9, 3],
  [7, 17, 33],
  [3, 1, 321],
  [97, 12, 5],
  [100, 31, 641],
  [1, 70, 33],
  [1, 3, 40],
  [130, 8, 2],
  [0, 3, 2],
  [2, 0, 3],
  [2, 3, 0],
];

describe("matrix product", () => {
  for (const [rows, columns, depth] of SIZES)
    it(`${rows}×${depth}×${columns}, both transposed or not`, () => {
      const random = randomStream(rows * 31 + columns * 7 + depth);
      for (const transposeA of [false, true])
        for (const transposeB of [false, true]) {
          const a = randomInput(random, [1, ...(transposeA ? [depth, rows] : [rows, depth])]);
          const b = randomInput(random, [1, ...(transposeB ? [columns, depth] : [depth, columns])]);
          expectSameAsCpu("BatchMatMul", { a, b }, { transposeA, transposeB });
        }
    });

  it("broadcasts batches", () => {
    const random = randomStream(5);
    const batches: [number[], number[]][] = [
      [[3], [3]],
      [[1], [3]],
      [[3], [1]],
      [
        [2, 3],
        [2, 3],
      ],
      [
        [2, 1],
        [1, 3],
      ],
      [
        [2, 3],
        [1, 1],
      ],
    ];
    for (const [batchA, batchB] of batches)
      for (const transposeA of [false, true]) {
        const a = randomInput(random, [...batchA, ...(transposeA ? [6, 5] : [5, 6])]);
        const b = randomInput(random, [...batchB, 6, 9]);
        expectSameAsCpu("BatchMatMul", { a, b }, { transposeA, transposeB: false });
      }
  });

  // the relaxed binary reads these rows where they lie (wasm/gemm-rows.ts); a single product is always packed
  it("gives a batch of whole tiles the bits of single products", async () => {
    const random = randomStream(9);
    for (const [rows, depth, columns] of [
      [8, 7, 16],
      [36, 64, 8],
      [64, 320, 24],
    ]) {
      const count = 5;
      const [a, b] = [
        [rows, depth],
        [depth, columns],
      ].map(([first, second]) => randomInput(random, [count, first, second]));
      expectSameAsCpu("BatchMatMul", { a, b }, { transposeA: false, transposeB: false });
      const batches = [a, b].map(({ values, shape }) => fromValues(values, shape, "float32"));
      const product = matMul(batches[0], batches[1]);
      for (let index = 0; index < count; index++) {
        const singles = batches.map((batch) =>
          tidy(() => squeeze(narrow(batch, { axis: 0, start: index, length: 1 }), { axes: 0 })),
        );
        const single = matMul(singles[0], singles[1]);
        const size = rows * columns;
        expect((await read(product)).slice(index * size, (index + 1) * size)).toEqual(await read(single));
        dispose([...singles, single]);
      }
      dispose([...batches, product]);
    }
  });

  it("fuses bias and activation", () => {
    const random = randomStream(6);
    for (const [rows, columns, depth] of [
      [5, 9, 7],
      [1, 9, 7],
      [8, 16, 330],
    ])
      for (const activation of ["linear", "relu", "relu6", "sigmoid", "elu", "leakyrelu", "prelu"]) {
        const inputs = {
          a: randomInput(random, [1, rows, depth]),
          b: randomInput(random, [1, depth, columns]),
          bias: randomInput(random, [columns]),
          preluActivationWeights: randomInput(random, [columns]),
        };
        expectSameAsCpu("_FusedMatMul", inputs, {
          transposeA: false,
          transposeB: false,
          activation,
          leakyreluAlpha: 0.3,
        });
      }
  });

  it("lets NaN and infinity through", () => {
    const random = randomStream(7);
    const a = randomInput(random, [1, 6, 5]);
    a.values.set([Number.NaN, 0, 0, 0, 0, Number.POSITIVE_INFINITY, 0, 0, 0, 0], 0);
    const inputs = { a, b: randomInput(random, [1, 5, 9]), bias: randomInput(random, [9]) };
    for (const activation of ["linear", "relu", "relu6"])
      expectSameAsCpu("_FusedMatMul", inputs, { transposeA: false, transposeB: false, activation });
  });
});

describe("convolution", () => {
  it("equals the JavaScript kernels on random geometries, with both gradients", () => {
    const random = randomStream(8);
    const pick = <T>(...from: T[]): T => from[Math.floor(random() * from.length)];
    for (let round = 0; round < 60; round++) {
      const [height, width] = [pick(1, 4, 7, 12), pick(3, 5, 8, 13)];
      const [inChannels, outChannels] = [pick(1, 2, 3, 4, 5, 9), pick(1, 3, 8, 10)];
      const filterShape = [pick(1, 2, 3), pick(1, 3, 5), inChannels, outChannels];
      const [top, left] = [pick(0, 1, 2), pick(0, 1, 2)];
      const pad = pick<unknown>("same", "valid", [
        [0, 0],
        [top, pick(0, 1)],
        [left, pick(0, 2)],
        [0, 0],
      ]);
      const dilations = [pick(1, 1, 2), pick(1, 1, 2)];
      const strides = dilations[0] * dilations[1] === 1 ? [pick(1, 2), pick(1, 2, 3)] : [1, 1];
      const attrs = { strides, pad, dataFormat: "NHWC", dilations };
      const x = randomInput(random, [pick(1, 2, 3), height, width, inChannels]);
      const filter = randomInput(random, filterShape);
      const outShape = outputShape(x.shape, filterShape, attrs);
      if (outShape.some((length) => length < 1)) continue;
      expectSameAsCpu("Conv2D", { x, filter }, attrs);
      expectSameAsCpu(
        "FusedConv2D",
        { x, filter, bias: randomInput(random, [outChannels]) },
        { ...attrs, activation: "relu" },
      );
      // tfjs's own gradients know no dilation
      if (dilations[0] * dilations[1] !== 1) continue;
      const dy = randomInput(random, outShape);
      expectSameAsCpu("Conv2DBackpropInput", { dy, filter }, { ...attrs, inputShape: x.shape });
      expectSameAsCpu("Conv2DBackpropFilter", { x, dy }, { ...attrs, filterShape });
    }
  });
});

function outputShape(
  x: number[],
  filter: number[],
  attrs: { strides: number[]; pad: unknown; dilations: number[] },
): number[] {
  const spatial = [0, 1].map((axis) => {
    const extent = (filter[axis] - 1) * attrs.dilations[axis] + 1;
    if (attrs.pad === "same") return Math.ceil(x[axis + 1] / attrs.strides[axis]);
    const [before, after] = attrs.pad === "valid" ? [0, 0] : (attrs.pad as number[][])[axis + 1];
    return Math.floor((x[axis + 1] + before + after - extent) / attrs.strides[axis]) + 1;
  });
  return [x[0], ...spatial, filter[3]];
}
