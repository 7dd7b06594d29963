import { beforeAll, describe, expect, it } from "vitest";
import { useDevice } from "../../device.js";
import type { DType } from "../../dtype.js";
import { dispose } from "../../memory.js";
import { floorDivide, maximum, pow, remainder } from "../../ops/arithmetic.js";
import { read, tensor } from "../../tensor.js";
import {
  expectSameAsCpu,
  type HostInput,
  randomInput,
  randomStream,
  runKernel,
} from "../../testing/wasm-kernels.js";

beforeAll(async () => {
  await useDevice("cpu");
  await useDevice("wasm");
});

const SPECIAL = [
  Number.NaN,
  Infinity,
  -Infinity,
  0,
  -0,
  1,
  -1,
  0.5,
  1e-40,
  -1e-40,
  3e38,
  -3e38,
  88.7,
  -88.7,
  104,
  -104,
  6,
  7,
];
const special = (): HostInput => ({
  shape: [SPECIAL.length],
  dtype: "float32",
  values: Float32Array.from(SPECIAL),
});

/** Numbers over many magnitudes, both signs. */
function wide(count: number): HostInput {
  const random = randomStream(count);
  const values = Float32Array.from(
    { length: count },
    () => (random() < 0.5 ? -1 : 1) * 10 ** (random() * 8 - 6),
  );
  return { shape: [count], dtype: "float32", values };
}

/** erf by its series or continued fraction in double precision; Abramowitz and Stegun 7.1.6 and 7.1.14. */
function erf(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = z;
    let sum = z;
    for (let n = 1; n < 100; n++) {
      term *= (2 * z * z) / (2 * n + 1);
      sum += term;
    }
    return (Math.sign(x) * 2 * Math.exp(-z * z) * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction));
}

/** Whether a float is the one nearest to an exact value, or as near as makes no difference; 0 and NaN only themselves. */
function isNearestFloat(found: number, exact: number): boolean {
  const nearest = Math.fround(exact);
  if (Object.is(found, nearest)) return true;
  const unit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(exact))), -126) - 23);
  return Number.isFinite(nearest) && Math.abs(found - exact) <= 0.501 * unit;
}

const EXACT: Readonly<Record<string, (x: number) => number>> = {
  Relu: (x) => Math.max(x, 0),
  Relu6: (x) => Math.min(Math.max(x, 0), 6),
  Exp: Math.exp,
  Log: Math.log,
  Tanh: Math.tanh,
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Rsqrt: (x) => 1 / Math.sqrt(x),
  Sqrt: Math.sqrt,
  Neg: (x) => -x,
  Square: (x) => x * x,
  Erf: erf,
  Abs: Math.abs,
  Reciprocal: (x) => 1 / x,
  Elu: (x) => (x > 0 ? x : Math.expm1(x)),
  Floor: Math.floor,
  Ceil: Math.ceil,
  Expm1: Math.expm1,
  Sin: Math.sin,
  Cos: Math.cos,
  Tan: Math.tan,
  Sign: (x) => (x > 0 ? 1 : x < 0 ? -1 : 0),
  Softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
};

describe("unary functions", () => {
  for (const [name, exact] of Object.entries(EXACT))
    it(`${name} is good to 1e-6 everywhere, with NaN, infinities and denormals`, () => {
      for (const x of [special(), wide(4001), wide(3)]) {
        const [{ values }] = runKernel("ai-wasm", name, { x }, {});
        const wrong = [...x.values].flatMap((value, i) => {
          const [found, expected] = [values[i], Math.fround(exact(value))];
          // one denormal step where the result is denormal
          const isClose = Math.abs(found - expected) <= 1e-6 * Math.abs(expected) + 3e-45;
          const isRight = Number.isFinite(expected) ? isClose : Object.is(found, expected);
          return isRight ? [] : [{ value, found, expected }];
        });
        expect({ name, wrong }).toEqual({ name, wrong: [] });
      }
    });

  it("angles of every size keep the digits of their sine, cosine and tangent", () => {
    const random = randomStream(8);
    const angles = Array.from({ length: 3000 }, () => (random() - 0.5) * 2 ** (random() * 128 - 1));
    // what lies nearest to multiples of π/2
    for (let n = 1; n < 2 ** 31; n = Math.ceil(n * 1.3)) angles.push((n * Math.PI) / 2, (-n * Math.PI) / 2);
    angles.push(2 ** 20, 1048577, -(2 ** 24), 3.4028234e38, 2 ** 127);
    const x: HostInput = {
      shape: [angles.length],
      dtype: "float32",
      values: Float32Array.from(angles),
    };
    for (const name of ["Sin", "Cos", "Tan"] as const) {
      const [{ values }] = runKernel("ai-wasm", name, { x }, {});
      const wrong = [...x.values].filter((angle, i) => {
        const expected = EXACT[name](angle);
        return !(Math.abs(values[i] - expected) <= 5e-7 * Math.abs(expected));
      });
      expect({ name, wrong }).toEqual({ name, wrong: [] });
    }
  });

  it("inverse circular and hyperbolic functions give the nearest float", () => {
    const names = ["asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"] as const;
    const random = randomStream(11);
    const within = Array.from({ length: 2001 }, () => random() * 2 - 1);
    const inputs = [...SPECIAL, ...wide(2002).values, ...within, ...within.map((x) => x * 90), 1.0000001];
    const values = Float32Array.from(inputs);
    for (const name of names) {
      const kernel = name[0].toUpperCase() + name.slice(1);
      const x: HostInput = { shape: [values.length], dtype: "float32", values };
      const [output] = runKernel("ai-wasm", kernel, { x }, {});
      const wrong = [...values].flatMap((value, i) => {
        const [found, exact] = [output.values[i], Math[name](value)];
        return isNearestFloat(found, exact) ? [] : [{ value, found, exact }];
      });
      expect({ name, wrong }).toEqual({ name, wrong: [] });
    }
  });

  it("angles of points give the nearest float in every quadrant and on every axis", () => {
    const points = SPECIAL.flatMap((y) => SPECIAL.map((x) => [y, x]));
    const [more, random] = [wide(3002).values, randomStream(12)];
    for (let i = 0; i < more.length; i += 2) points.push([more[i], more[i + 1]]);
    for (let i = 0; i < 500; i++) points.push([random() - 0.5, random() - 0.5]);
    const column = (index: number): HostInput => ({
      shape: [points.length],
      dtype: "float32",
      values: Float32Array.from(points, (point) => point[index]),
    });
    const [a, b] = [column(0), column(1)];
    const [output] = runKernel("ai-wasm", "Atan2", { a, b }, {});
    const wrong = points.flatMap((point, i) => {
      const [found, exact] = [output.values[i], Math.atan2(a.values[i], b.values[i])];
      return isNearestFloat(found, exact) ? [] : [{ point, found, exact }];
    });
    expect(wrong).toEqual([]);
  });

  it("odd functions of −0 are −0", () => {
    const x: HostInput = { shape: [5], dtype: "float32", values: new Float32Array(5).fill(-0) };
    for (const name of ["Tanh", "Expm1", "Elu", "Sin", "Tan", "Erf", "Sqrt", "Relu"]) {
      const [{ values }] = runKernel("ai-wasm", name, { x }, {});
      expect([name, ...values]).toEqual([name, ...new Array(5).fill(name === "Relu" ? 0 : -0)]);
    }
  });

  it("takes int32 where the function gives one", () => {
    const x: HostInput = {
      shape: [7],
      dtype: "int32",
      values: Int32Array.of(0, 5, -5, 2 ** 31 - 1, -(2 ** 31), 1, -1),
    };
    for (const name of ["Neg", "Sign", "Relu", "Relu6"]) expectSameAsCpu(name, { x }, {});
    const [{ values }] = runKernel("ai-wasm", "Abs", { x }, {});
    expect([...values]).toEqual([0, 5, 5, 2 ** 31 - 1, -(2 ** 31), 1, 1]);
    for (const [clipValueMin, clipValueMax] of [
      [-2, 4],
      [-1.5, 1e10],
    ])
      expectSameAsCpu("ClipByValue", { x }, { clipValueMin, clipValueMax });
  });

  it("equals the JavaScript kernels where they take parameters", () => {
    expectSameAsCpu("Step", { x: special() }, { alpha: 0.25 });
    expectSameAsCpu("LeakyRelu", { x: special() }, { alpha: 0.1 });
    expectSameAsCpu("ClipByValue", { x: special() }, { clipValueMin: -0.75, clipValueMax: 6.5 });
    expectSameAsCpu(
      "Round",
      { x: { shape: [6], dtype: "float32", values: Float32Array.of(0.5, 1.5, 2.5, -0.5, -1.5, Number.NaN) } },
      {},
    );
  });
});

/** Pairs of shapes that broadcast, one a kind of walk. */
const PAIRS: readonly [number[], number[]][] = [
  [[7], [7]],
  [[3, 5], []],
  [[], [3, 5]],
  [[3, 5], [5]],
  [
    [3, 5],
    [3, 1],
  ],
  [
    [3, 1],
    [1, 5],
  ],
  [
    [2, 3, 4],
    [3, 1],
  ],
  [
    [2, 1, 4],
    [2, 3, 1],
  ],
  [[1, 1], [1]],
  [[300, 3], [3]],
  [
    [2, 1, 3, 1, 2],
    [1, 4, 1, 3, 1],
  ],
  [[0, 3], [3]],
];

describe("binary functions", () => {
  const random = randomStream(3);
  for (const name of [
    "Add",
    "Sub",
    "Multiply",
    "RealDiv",
    "Maximum",
    "Minimum",
    "SquaredDifference",
    "Equal",
    "NotEqual",
    "Less",
    "LessEqual",
    "Greater",
    "GreaterEqual",
  ])
    it(`${name} broadcasts like the JavaScript kernel`, () => {
      for (const [shapeA, shapeB] of PAIRS)
        for (const dtype of ["float32", "int32", "bool"] as const) {
          if (name === "RealDiv" && dtype === "int32") continue;
          if (dtype === "bool" && !/Equal|Less|Greater/.test(name)) continue;
          const [a, b] = [randomInput(random, shapeA, dtype), randomInput(random, shapeB, dtype)];
          expectSameAsCpu(name, { a, b }, {});
        }
      const all = SPECIAL.flatMap((first) => SPECIAL.map((second) => [first, second]));
      const column = (index: number): HostInput => ({
        shape: [all.length],
        dtype: "float32",
        values: Float32Array.from(all, (pair) => pair[index]),
      });
      expectSameAsCpu(name, { a: column(0), b: column(1) }, {});
    });

  it("powers, quotients rounded down and remainders equal those of cpu, special values included", async () => {
    const wholes = [0, 1, -1, 2, -2, 3, -3, 7, -8, 31, 65537, 2 ** 31 - 1, -(2 ** 31)];
    const floats = [...SPECIAL, 2, -2, 3, 2.5, -3, 1e-20, 0.1, 1e9, 16777215, -7.5, 1e38];
    for (const [dtype, numbers] of [
      ["float32", floats],
      ["int32", wholes],
    ] as const) {
      const shapes = [
        [numbers.length, 1],
        [1, numbers.length],
      ];
      const results = async (device: "cpu" | "wasm") => {
        await useDevice(device);
        const [a, b] = shapes.map((shape) => tensor([...numbers], shape, dtype));
        const made = [pow(a, b), floorDivide(a, b), remainder(a, b), pow(a, 2), maximum(a, b)];
        const values = await Promise.all(made.map(read));
        dispose([a, b, made]);
        return values;
      };
      const [expected, actual] = [await results("cpu"), await results("wasm")];
      expected.forEach((values, op) => {
        const wrong = [...values].flatMap((value, i) => {
          const found = actual[op][i];
          // powers are good to float32, the rest is exact, the sign of a zero included
          const same = Object.is(found, value) || (op % 3 === 0 && Math.abs(found / value - 1) <= 2e-7);
          const place = [numbers[Math.floor(i / numbers.length)], numbers[i % numbers.length]];
          return same ? [] : [{ op, place, found, value }];
        });
        expect(wrong).toEqual([]);
      });
    }
  });

  it("wraps int32 like PyTorch", () => {
    const big: HostInput = {
      shape: [3],
      dtype: "int32",
      values: Int32Array.of(2 ** 31 - 1, -(2 ** 31), 123456789),
    };
    const [sum] = runKernel("ai-wasm", "Add", { a: big, b: big }, {});
    expect([...sum.values]).toEqual([-2, 0, 246913578]);
    const [product] = runKernel("ai-wasm", "Multiply", { a: big, b: big }, {});
    expect([...product.values]).toEqual([1, 0, Math.imul(123456789, 123456789)]);
  });

  it("chooses by a condition", () => {
    for (const shape of [[5], [2, 3], [17]])
      for (const dtype of ["float32", "int32", "bool"] as const) {
        const condition = randomInput(random, shape, "bool");
        expectSameAsCpu(
          "Select",
          { condition, t: randomInput(random, shape, dtype), e: randomInput(random, shape, dtype) },
          {},
        );
      }
    expectSameAsCpu(
      "Select",
      {
        condition: randomInput(random, [3], "bool"),
        t: randomInput(random, [3, 2]),
        e: randomInput(random, [3, 2]),
      },
      {},
    );
  });
});

describe("casts", () => {
  it("converts between all dtypes", () => {
    const x: Record<DType, HostInput> = {
      float32: {
        shape: [7],
        dtype: "float32",
        values: Float32Array.of(-2.7, -0.3, 0, 0.3, 2.7, Number.NaN, 1e6),
      },
      int32: { shape: [3], dtype: "int32", values: Int32Array.of(-5, 0, 7) },
      bool: { shape: [2], dtype: "bool", values: Uint8Array.of(0, 1) },
    };
    const expected: Record<string, number[]> = {
      "float32 int32": [-2, 0, 0, 0, 2, 0, 1e6],
      "float32 bool": [1, 1, 0, 1, 1, 1, 1],
      "int32 float32": [-5, 0, 7],
      "int32 bool": [1, 0, 1],
      "bool float32": [0, 1],
      "bool int32": [0, 1],
    };
    for (const [pair, values] of Object.entries(expected)) {
      const [from, to] = pair.split(" ") as [DType, DType];
      const [output] = runKernel("ai-wasm", "Cast", { x: x[from] }, { dtype: to });
      expect([pair, output.dtype, ...output.values]).toEqual([pair, to, ...values]);
    }
  });
});
