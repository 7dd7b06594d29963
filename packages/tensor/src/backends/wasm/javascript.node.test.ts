import { afterAll, beforeAll, expect, it } from "vitest";
import * as ai from "../../index.js";
import { randomInput, randomStream, wasmBackend } from "../../testing/wasm-kernels.js";
import { TensorRecord } from "./records.js";

type Tensor = ai.Tensor;
type Inputs = { f: Tensor; g: Tensor; i: Tensor; j: Tensor; b: Tensor; c: Tensor; row: Tensor; at: Tensor };

/** Reads of values in the heap from JavaScript, by whom. Integers are read by the checks of indices. */
let reads: string[] | undefined;
const getter = Object.getOwnPropertyDescriptor(TensorRecord.prototype, "values")!;

beforeAll(async () => {
  await ai.useDevice("wasm");
  Object.defineProperty(TensorRecord.prototype, "values", {
    ...getter,
    get(this: TensorRecord) {
      const isMoving = new Error().stack!.split("\n")[2].includes("pointer");
      if (reads !== undefined && this.pointer !== 0 && !isMoving && this.dtype !== "int32")
        reads.push(this.dtype);
      return getter.get!.call(this);
    },
  });
});

afterAll(() => {
  Object.defineProperty(TensorRecord.prototype, "values", getter);
});

/** Ops of one tensor with what they take: floats in (0, 1), integers, truth values. */
const UNARY: Record<string, readonly (keyof Inputs)[]> = {
  "sin cos tan asin acos atan sinh cosh asinh atanh exp expm1 log log1p sqrt rsqrt reciprocal erf sigmoid tanh":
    ["f", "i", "b"],
  "elu selu silu mish hardSigmoid hardSwish leakyRelu logSigmoid softplus isNaN isInf isFinite logicalNot": [
    "f",
    "i",
  ],
  "floor ceil round gelu": ["f"],
  "square abs neg sign relu relu6 softmax logSoftmax sum mean max min prod argMax argMin all any sort argsort":
    ["f", "i", "b"],
  "variance standardDeviation norm logSumExp transpose": ["f", "i", "b"],
};
const BINARY: Record<string, readonly (keyof Inputs)[]> = {
  "add mul maximum minimum pow floorDivide remainder atan2 squaredDifference": ["f", "i", "b"],
  "sub div": ["f", "i"],
  "equal notEqual less lessEqual greater greaterEqual logicalAnd logicalOr logicalXor": ["f", "i", "b"],
};
const SECOND: Partial<Record<keyof Inputs, keyof Inputs>> = { f: "g", i: "j", b: "c" };

const OTHERS: Record<string, (inputs: Inputs) => unknown> = {
  ...Object.fromEntries(
    (["f", "i", "b"] as const).flatMap((name) => {
      const other = SECOND[name]!;
      const calls: Record<string, (inputs: Inputs) => unknown> = {
        where: (x) => ai.where(x.b, x[name], x[other]),
        "where, by a row": (x) => ai.where(ai.greater(x.row, 0), x[name], x[other]),
        cast: (x) => (["float32", "int32", "bool"] as const).map((dtype) => ai.cast(x[name], dtype)),
        clip: (x) => ai.clip(x[name], { min: 0, max: 1 }),
        concat: (x) => [0, 1].map((axis) => ai.concat([x[name], x[other]], { axis })),
        stack: (x) => ai.stack([x[name], x[other]], { axis: 1 }),
        split: (x) => ai.split(x[name], 3, { axis: 0 }),
        slice: (x) => ai.slice(x[name], [1, 2], [3, 4]),
        stridedSlice: (x) => ai.stridedSlice(x[name], { strides: [2, 3] }),
        pad: (x) =>
          ai.pad(x[name], [
            [1, 1],
            [2, 0],
          ]),
        "pad, reflecting": (x) =>
          ai.pad(
            x[name],
            [
              [1, 1],
              [2, 0],
            ],
            { mode: "reflect" },
          ),
        tile: (x) => ai.tile(x[name], [2, 3]),
        gather: (x) => [0, 1].map((axis) => ai.gather(x[name], x.at, { axis })),
        topK: (x) => ai.topK(x[name], 3),
      };
      return Object.entries(calls).map(([op, call]) => [`${op} of ${name}`, call]);
    }),
  ),
  cumsum: (x) => [0, 1].flatMap((axis) => [ai.cumsum(x.f, { axis }), ai.cumprod(x.f, { axis })]),
  matMul: (x) => ai.matMul(x.f, x.g, { transposeB: true }),
  oneHot: (x) => ai.oneHot(x.at, 7),
  random: () => [
    ai.randomUniform([9]),
    ai.randomNormal([9]),
    ai.randomInteger([9], { max: 5 }),
    ai.bernoulli([9], { probability: 0.5 }),
  ],
  rotaryEmbedding: (x) => {
    const [cosine, sine] = [x.f, x.g].map((table) => ai.slice(table, [0, 0], [9, 16]));
    return [true, false].map((interleaved) => ai.rotaryEmbedding(x.f, { cosine, sine, interleaved }));
  },
};

/** Gradients of elementwise ops, in one pass each or made of ops that are. */
const GRADIENTS =
  "asin acos atan sinh cosh asinh atanh elu selu silu mish hardSigmoid hardSwish leakyRelu logSigmoid softplus relu relu6";

function makeInputs(): Inputs {
  const random = randomStream(5);
  const make = (shape: number[], dtype: "float32" | "int32" | "bool", map = (value: number) => value) =>
    ai.tensor(randomInput(random, shape, dtype).values.map(map), shape, dtype);
  const shape = [9, 33];
  const [f, g, row] = [shape, shape, [33]].map((each) =>
    make(each, "float32", (value) => Math.abs(value) * 0.98 + 0.01),
  );
  const [i, j, at] = [shape, shape, [4]].map((each) =>
    make(each, "int32", (value) => (Math.abs(value) % 5) + 1),
  );
  const inputs = { f, g, i, j, b: make(shape, "bool"), c: make(shape, "bool"), row, at };
  for (const tensor of Object.values(inputs)) wasmBackend().pointer(tensor);
  return inputs;
}

function tensorsOf(value: unknown): Tensor[] {
  if (Array.isArray(value)) return value.flatMap(tensorsOf);
  if (typeof value !== "object" || value === null) return [];
  return "dataId" in value ? [value as Tensor] : Object.values(value).flatMap(tensorsOf);
}

/** The calls that left the engine: a result on the host, or values that JavaScript read. */
function leaving(calls: Record<string, (inputs: Inputs) => unknown>): string[] {
  const inputs = makeInputs();
  const left = Object.entries(calls).filter(([, call]) =>
    ai.tidy(() => {
      reads = [];
      const results = tensorsOf(call(inputs));
      const wereRead = reads.length > 0;
      reads = undefined;
      const records = results.map(({ dataId }) => (dataId as unknown as { record: TensorRecord }).record);
      return wereRead || results.length === 0 || records.some(({ pointer }) => pointer === 0);
    }),
  );
  ai.dispose(Object.values(inputs));
  return left.map(([name]) => name);
}

const named = (name: string) => (ai as unknown as Record<string, (...inputs: unknown[]) => unknown>)[name]!;

it("runs everyday ops in WebAssembly, not as JavaScript", () => {
  const calls = { ...OTHERS };
  for (const [names, kinds] of Object.entries(UNARY))
    for (const name of names.split(" "))
      for (const kind of kinds) calls[`${name} of ${kind}`] = (x) => named(name)(x[kind]);
  for (const [names, kinds] of Object.entries(BINARY))
    for (const name of names.split(" "))
      for (const kind of kinds) {
        calls[`${name} of ${kind}`] = (x) => named(name)(x[kind], x[SECOND[kind]!]);
        if (kind === "f") calls[`${name} with a row`] = (x) => named(name)(x.f, x.row);
        if (kind === "i") calls[`${name} with floats`] = (x) => named(name)(x.i, x.f);
      }
  // rounding a truth value is nobody's work: it shows that what leaves the engine is seen
  calls["floor of b"] = (x) => ai.floor(x.b);
  expect(leaving(calls)).toEqual(["floor of b"]);
});

it("runs their gradients there", () => {
  const calls: Record<string, (inputs: Inputs) => unknown> = {
    atan2: (x) => ai.grad((y: Tensor, z: Tensor) => ai.sum(ai.atan2(y, z)), [x.f, x.g]),
    where: (x) => ai.grad((y: Tensor, z: Tensor) => ai.sum(ai.where(x.b, y, z)), [x.f, x.g]),
  };
  for (const name of GRADIENTS.split(" "))
    calls[name] = (x) => ai.grad((y: Tensor) => ai.sum(named(name)(y) as Tensor), [x.f]);
  expect(leaving(calls)).toEqual([]);
});
