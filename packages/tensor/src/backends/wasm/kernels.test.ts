import { getKernel } from "@tensorflow/tfjs-core";
import { beforeAll, describe, expect, it } from "vitest";
import { useDevice } from "../../device.js";
import type { DType } from "../../dtype.js";
import { dispose } from "../../memory.js";
import { logSoftmax } from "../../ops/softmax.js";
import { sizeOf } from "../../shape.js";
import { read, tensor } from "../../tensor.js";
import {
  expectSameAsCpu,
  type HostInput,
  randomInput,
  randomStream,
  runKernel,
  wasmBackend,
} from "../../testing/wasm-kernels.js";
import { WASM_KERNELS } from "./kernels/index.js";

beforeAll(async () => {
  await useDevice("cpu");
  await useDevice("wasm");
});

describe("reductions and softmax", () => {
  const random = randomStream(4);
  it("reduces any axes like the JavaScript kernels", () => {
    for (const shape of [[1], [9], [3, 17], [2, 3, 4], [2, 1, 3, 5], [5, 1031], [1031, 5], [0, 3], [3, 0]])
      for (let mask = 1; mask < 1 << shape.length; mask++) {
        const axis = shape.flatMap((_, index) => (mask & (1 << index) ? [index] : []));
        for (const name of ["Sum", "Mean", "Max", "Min", "Prod"]) {
          if (shape.includes(0) && name !== "Sum") continue;
          for (const keepDims of [false, true])
            expectSameAsCpu(
              name,
              { x: randomInput(random, shape) },
              { axis, reductionIndices: axis, keepDims },
            );
        }
      }
  });

  it("reduces integers and truth values like the JavaScript kernels", () => {
    for (const [shape, axis] of [
      [[7], [0]],
      [[3, 5, 4], [1]],
      [
        [3, 5, 4],
        [0, 1],
      ],
      [
        [3, 5, 4],
        [1, 2],
      ],
      [
        [3, 5, 4],
        [0, 2],
      ],
    ]) {
      const attrs = { axis, reductionIndices: axis, keepDims: false };
      for (const name of ["Sum", "Max", "Min"])
        expectSameAsCpu(name, { x: randomInput(random, shape, "int32") }, attrs);
      for (const name of ["All", "Any"])
        expectSameAsCpu(name, { x: randomInput(random, shape, "bool") }, attrs);
    }
  });

  it("runs along any axis, forwards, backwards and without the element itself", () => {
    for (const shape of [[9], [4, 300], [5, 7, 3], [3, 6, 131]])
      for (const dtype of ["float32", "int32"] as const)
        for (const name of ["Cumsum", "Cumprod"])
          for (let axis = 0; axis < shape.length; axis++)
            for (const exclusive of [false, true])
              for (const reverse of [false, true]) {
                const numbers = randomInput(random, shape, dtype);
                // products of integers stay exact in tfjs's doubles
                const x = dtype === "int32" ? { ...numbers, values: numbers.values.map(Math.sign) } : numbers;
                // tfjs adds up in float32
                expectSameAsCpu(
                  name,
                  { x },
                  { axis, exclusive, reverse },
                  { relative: 1e-4, absolute: 1e-4 },
                );
              }
  });

  it("tests floats, joins truth values, marks indices and resizes like the JavaScript kernels", () => {
    const specials: HostInput = {
      shape: [7],
      dtype: "float32",
      values: Float32Array.of(0, -1, Number.NaN, Infinity, -Infinity, 3e38, -0),
    };
    for (const name of ["IsNan", "IsInf", "IsFinite"]) expectSameAsCpu(name, { x: specials }, {});
    const [a, b] = [0, 1].map(() => randomInput(random, [5, 13], "bool"));
    for (const name of ["LogicalAnd", "LogicalOr"]) expectSameAsCpu(name, { a, b }, {});
    expectSameAsCpu("LogicalNot", { x: a }, {});
    const indices: HostInput = { shape: [2, 3], dtype: "int32", values: Int32Array.of(0, 4, 2, -1, 5, 3) };
    for (const dtype of ["float32", "int32", "bool"])
      expectSameAsCpu("OneHot", { indices }, { depth: 5, onValue: 1, offValue: 0, dtype });
    for (const [alignCorners, halfPixelCenters] of [
      [false, false],
      [true, false],
      [false, true],
    ])
      for (const size of [
        [9, 4],
        [3, 17],
        [1, 1],
      ])
        for (const channels of [1, 3, 20])
          for (const name of ["ResizeBilinear", "ResizeNearestNeighbor"])
            expectSameAsCpu(
              name,
              { images: randomInput(random, [2, 5, 7, channels]) },
              { size, alignCorners, halfPixelCenters },
            );
  });

  it("sums a million numbers to float32 precision", () => {
    const x: HostInput = {
      shape: [1_000_003],
      dtype: "float32",
      values: new Float32Array(1_000_003).fill(0.1),
    };
    const exact = 1_000_003 * Math.fround(0.1);
    for (const shape of [[1_000_003], [1_000_003, 1]]) {
      const [{ values }] = runKernel(
        "ai-wasm",
        "Sum",
        { x: { ...x, shape } },
        { axis: [0], keepDims: false },
      );
      expect(Math.abs(values[0] - exact) / exact).toBeLessThan(3e-7);
    }
  });

  it("keeps NaN in a maximum, and infinities and long rows in softmax", () => {
    const rows = [
      [1, 2, 3, 4, 5],
      [Number.NaN, 0, 0, 0, 0],
      [-Infinity, 0, 1, -Infinity, 2],
      [-Infinity, -Infinity, -Infinity, -Infinity, -Infinity],
      [Infinity, 0, 0, 0, 0],
      [1000, 999, -1000, 0, 1000],
    ];
    const logits: HostInput = { shape: [6, 5], dtype: "float32", values: Float32Array.from(rows.flat()) };
    expectSameAsCpu("Max", { x: logits }, { reductionIndices: [1], keepDims: false });
    const [softmax] = runKernel("ai-wasm", "Softmax", { logits }, { dim: 1 });
    expect([...softmax.values.slice(10, 15)].filter((value) => value === 0).length).toBe(2);
    for (const row of [1, 3, 4])
      expect([...softmax.values.slice(row * 5, row * 5 + 5)].some(Number.isNaN)).toBe(true);
    const long = randomInput(random, [3, 2051]);
    for (let i = 0; i < long.values.length; i++) long.values[i] *= 30;
    expectSameAsCpu("Softmax", { logits: long }, { dim: 1 }, { absolute: 1e-9 });
  });

  it("log-softmax equals the one in double precision", async () => {
    const x = randomInput(random, [3, 2051]);
    for (let i = 0; i < x.values.length; i++) x.values[i] *= 30;
    const expected = [0, 1, 2].flatMap((row) => {
      const scores = [...x.values.slice(row * 2051, (row + 1) * 2051)];
      const largest = Math.max(...scores);
      const sum = Math.log(scores.reduce((total, score) => total + Math.exp(score - largest), 0));
      return scores.map((score) => score - largest - sum);
    });
    await useDevice("wasm");
    const logits = tensor(x.values, x.shape);
    const result = logSoftmax(logits);
    const values = await read(result);
    expected.forEach((value, i) => {
      expect(Math.abs(values[i] - value)).toBeLessThanOrEqual(1e-6 * Math.abs(value) + 1e-6);
    });
    dispose([logits, result]);
  });
});

describe("pooling", () => {
  it("equals the JavaScript kernels on random geometries, with both gradients", () => {
    const random = randomStream(9);
    const pick = <T>(...from: T[]): T => from[Math.floor(random() * from.length)];
    for (let round = 0; round < 60; round++) {
      const x = randomInput(random, [pick(1, 2), pick(4, 5, 9), pick(4, 6, 7), pick(1, 3, 4, 6, 9)]);
      const attrs = {
        filterSize: [pick(1, 2, 3), pick(2, 3)],
        strides: [pick(1, 2, 3), pick(1, 2)],
        pad: pick<unknown>("same", "valid", [
          [0, 0],
          [1, 0],
          [0, 1],
          [0, 0],
        ]),
      };
      const [{ shape }] = runKernel("cpu", "MaxPool", { x }, attrs);
      const dy = randomInput(random, shape);
      expectSameAsCpu("MaxPool", { x }, attrs);
      expectSameAsCpu("AvgPool", { x }, attrs);
      expectSameAsCpu("MaxPoolGrad", { dy, input: x, output: dy }, attrs);
      expectSameAsCpu("AvgPoolGrad", { dy, input: x }, attrs);
    }
  });
});

describe("moving values", () => {
  const random = randomStream(11);
  it("transposes every order of up to five axes", () => {
    const orders = (rest: number[]): number[][] =>
      rest.length === 0
        ? [[]]
        : rest.flatMap((axis) =>
            orders(rest.filter((other) => other !== axis)).map((tail) => [axis, ...tail]),
          );
    for (const shape of [[7], [5, 9], [3, 1, 6], [2, 3, 5, 4], [2, 3, 1, 5, 4], [0, 3]])
      for (const perm of orders(shape.map((_, axis) => axis)))
        for (const dtype of ["float32", "bool"] as const)
          expectSameAsCpu("Transpose", { x: randomInput(random, shape, dtype) }, { perm });
  });

  it("slices, pads and joins", () => {
    for (const dtype of ["float32", "int32", "bool"] as const) {
      const x = randomInput(random, [3, 4, 50], dtype);
      for (const [begin, size] of [
        [
          [0, 0, 0],
          [3, 4, 50],
        ],
        [
          [1, 0, 0],
          [1, 4, 50],
        ],
        [
          [0, 1, 7],
          [3, 2, 9],
        ],
        [
          [2, 3, 49],
          [1, 1, 1],
        ],
        [
          [0, 0, 3],
          [3, 4, 40],
        ],
        [
          [0, 0, 0],
          [0, 4, 50],
        ],
      ])
        expectSameAsCpu("Slice", { x }, { begin, size });
      for (const paddings of [
        [
          [0, 0],
          [1, 2],
          [3, 0],
        ],
        [
          [1, 0],
          [0, 0],
          [0, 0],
        ],
      ])
        expectSameAsCpu(
          "PadV2",
          { x },
          { paddings, constantValue: dtype === "bool" ? 1 : dtype === "int32" ? -7 : 2.5 },
        );
      for (const axis of [0, 1, 2]) {
        const others = [2, 0, 5].map((length) =>
          randomInput(
            random,
            [3, 4, 50].map((size, index) => (index === axis ? length : size)),
            dtype,
          ),
        );
        expectSameAsCpu("Concat", [x, ...others], { axis });
      }
    }
  });

  it("gathers and adds by index", () => {
    const indices: HostInput = { shape: [2, 2], dtype: "int32", values: Int32Array.of(2, 0, 2, 1) };
    for (const axis of [0, 1, 2])
      expectSameAsCpu(
        "GatherV2",
        { x: randomInput(random, [3, 3, 40]), indices: { ...indices, shape: [4] } },
        { axis, batchDims: 0 },
      );
    const segmentIds: HostInput = { shape: [5], dtype: "int32", values: Int32Array.of(1, 0, 1, -1, 3) };
    for (const shape of [[5], [5, 3], [5, 2, 9]])
      expectSameAsCpu(
        "UnsortedSegmentSum",
        { x: randomInput(random, shape), segmentIds },
        { numSegments: 4 },
      );
  });
});

describe("the table of kernels", () => {
  it("names kernels that tfjs has", () => {
    for (const name of Object.keys(WASM_KERNELS)) expect(getKernel(name, "cpu"), name).toBeDefined();
  });

  it("takes ordinary inputs itself: no test above compares the fallback with itself", () => {
    const backend = wasmBackend();
    const place = (shape: number[], dtype: DType = "float32") => {
      const info = backend.allocateOutput(shape, dtype);
      if (dtype === "int32")
        backend.runtime.int32.fill(
          0,
          backend.pointer(info) >>> 2,
          (backend.pointer(info) >>> 2) + sizeOf(shape),
        );
      return info;
    };
    const convolution = { strides: [1, 1], pad: "same", dataFormat: "NHWC", dilations: [1, 1] };
    const window = { filterSize: [2, 2], strides: [2, 2], pad: "valid" };
    const image = place([1, 4, 4, 3]);
    const filter = place([3, 3, 3, 5]);
    const dy = place([1, 4, 4, 5]);
    const matrix = place([1, 4, 4]);
    const pooled = place([1, 2, 2, 3]);
    const truth = place([1, 4, 4], "bool");
    const calls: Record<string, [inputs: object, attrs: object]> = {
      BatchMatMul: [
        { a: matrix, b: matrix },
        { transposeA: false, transposeB: false },
      ],
      _FusedMatMul: [
        { a: matrix, b: matrix },
        { transposeA: false, transposeB: false, activation: "relu" },
      ],
      Conv2D: [{ x: image, filter }, convolution],
      FusedConv2D: [
        { x: image, filter },
        { ...convolution, activation: "relu" },
      ],
      Conv2DBackpropInput: [
        { dy, filter },
        { ...convolution, inputShape: image.shape },
      ],
      Conv2DBackpropFilter: [
        { x: image, dy },
        { ...convolution, filterShape: filter.shape },
      ],
      MaxPool: [{ x: image }, window],
      AvgPool: [{ x: image }, window],
      MaxPoolGrad: [{ dy: pooled, input: image }, window],
      AvgPoolGrad: [{ dy: pooled, input: image }, window],
      Softmax: [{ logits: matrix }, { dim: 2 }],
      Select: [{ condition: place([1, 4, 4], "bool"), t: matrix, e: matrix }, {}],
      Cast: [{ x: matrix }, { dtype: "int32" }],
      Transpose: [{ x: matrix }, { perm: [2, 0, 1] }],
      Slice: [{ x: matrix }, { begin: [0, 1, 1], size: [1, 2, 2] }],
      PadV2: [
        { x: matrix },
        {
          paddings: [
            [0, 0],
            [1, 1],
            [0, 2],
          ],
          constantValue: 0,
        },
      ],
      GatherV2: [
        { x: matrix, indices: place([2], "int32") },
        { axis: 1, batchDims: 0 },
      ],
      UnsortedSegmentSum: [{ x: place([2, 4]), segmentIds: place([2], "int32") }, { numSegments: 3 }],
      ...Object.fromEntries(
        ["Sum", "Mean", "Max", "Min", "Prod"].map((name) => [
          name,
          [{ x: matrix }, { axis: [1], reductionIndices: [1] }],
        ]),
      ),
      ...Object.fromEntries(
        ["All", "Any", "LogicalAnd", "LogicalOr", "LogicalNot"].map((name) => [
          name,
          [{ x: truth, a: truth, b: truth }, { axis: [1] }],
        ]),
      ),
      OneHot: [{ indices: place([2], "int32") }, { depth: 3, onValue: 1, offValue: 0, dtype: "float32" }],
      ...Object.fromEntries(
        ["ResizeBilinear", "ResizeNearestNeighbor"].map((name) => [
          name,
          [{ images: image }, { size: [3, 7], alignCorners: false, halfPixelCenters: true }],
        ]),
      ),
    };
    for (const [name, kernel] of Object.entries(WASM_KERNELS)) {
      const [inputs, attrs] = calls[name] ?? [
        { x: matrix, a: matrix, b: matrix },
        { alpha: 0, clipValueMin: 0, clipValueMax: 1, reps: [2, 1, 3], dims: [2] },
      ];
      const list = name === "Concat" ? [matrix, matrix] : inputs;
      const result = kernel({ inputs: list as never, attrs: { axis: 1, ...attrs }, backend });
      expect(result, name).not.toBeNull();
      backend.disposeData((result as { dataId: object }).dataId);
    }
    for (const { dataId } of [image, filter, dy, matrix, pooled, truth]) backend.disposeData(dataId);
  });
});
