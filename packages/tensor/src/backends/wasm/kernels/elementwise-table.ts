import type { TensorInfo } from "@tensorflow/tfjs-core";
import type { DType } from "../../../dtype.js";
import { sameShape, sizeOf } from "../../../shape.js";
import type { WasmBackend } from "../backend.js";
import { BINARY, binary, choose, isInt32, walked } from "./elementwise.js";
import type { WasmCall, WasmKernel, WasmKernels } from "./kernel.js";
import { compareTruth } from "./truth.js";

/** Numbers of wasm/unary.ts. */
const UNARY = {
  Relu: 0,
  Relu6: 1,
  Step: 2,
  Exp: 3,
  Log: 4,
  Tanh: 5,
  Sigmoid: 6,
  Rsqrt: 7,
  Sqrt: 8,
  Neg: 9,
  Square: 10,
  Erf: 11,
  Abs: 12,
  Reciprocal: 13,
  LeakyRelu: 14,
  Elu: 15,
  Floor: 16,
  Ceil: 17,
  Round: 18,
  ClipByValue: 19,
  Softplus: 20,
  Log1p: 21,
  Expm1: 22,
  Sin: 23,
  Cos: 24,
  Tan: 25,
  Sign: 26,
  Asin: 27,
  Acos: 28,
  Atan: 29,
  Sinh: 30,
  Cosh: 31,
  Asinh: 32,
  Acosh: 33,
  Atanh: 34,
} as const;

/** Whether a function takes int32, too: wasm/integer-elementwise.ts. */
function isOfIntegers(operation: number): boolean {
  const { Relu, Relu6, Neg, Abs, Sign, ClipByValue } = UNARY;
  return [Relu, Relu6, Neg, Abs, Sign, ClipByValue].some((number) => number === operation);
}

/** Those of int32 have {@link INTEGER_COMPARISON} more. */
const COMPARISONS = { Equal: 0, NotEqual: 1, Less: 2, LessEqual: 3, Greater: 4, GreaterEqual: 5 } as const;
const INTEGER_COMPARISON = 6;

/** `f(x)` of each element; null when x is empty or of a dtype that the function does not take. */
function unary(
  backend: WasmBackend,
  operation: number,
  x: TensorInfo,
  first = 0,
  second = 0,
): TensorInfo | null {
  const count = sizeOf(x.shape);
  if (count === 0) return null;
  if (backend.isFloat32(x)) {
    const source = backend.pointer(x);
    const output = backend.allocateOutput(x.shape);
    backend.exports.unary(operation, source, backend.pointer(output), count, first, second);
    return output;
  }
  const areWhole = (first | 0) === first && (second | 0) === second;
  if (!isInt32(backend, x) || !areWhole || !isOfIntegers(operation)) return null;
  const source = backend.pointer(x);
  const output = backend.allocateOutput(x.shape, "int32");
  backend.exports.integerUnary(operation, source, backend.pointer(output), count, first, second);
  return output;
}

const unaryKernel =
  (operation: number): WasmKernel =>
  ({ inputs, backend }) =>
    unary(backend, operation, inputs.x);

const binaryKernel =
  (operation: number): WasmKernel =>
  ({ inputs, backend }) =>
    binary(backend, operation, inputs.a, inputs.b);

const comparisonKernel =
  (operation: number): WasmKernel =>
  ({ inputs: { a, b }, backend }) => {
    if (a.dtype === "bool" && b.dtype === "bool") return compareTruth(backend, operation, a, b);
    const integers = isInt32(backend, a) && isInt32(backend, b);
    if (!integers && !(backend.isFloat32(a) && backend.isFloat32(b))) return null;
    const number = integers ? operation + INTEGER_COMPARISON : operation;
    return walked(backend, a, b, "bool", (axes, pointerA, pointerB, target) =>
      backend.exports.compareBroadcast(number, pointerA, pointerB, target, axes),
    );
  };

function select({ inputs: { condition, t, e }, backend }: WasmCall): TensorInfo | null {
  // tfjs lets a vector choose whole rows
  return sameShape(condition.shape, t.shape) ? choose(backend, condition, t, e) : null;
}

/** Every conversion between our dtypes: tfjs's JavaScript kernel relabels some without converting the values. */
function cast({ inputs: { x }, attrs, backend }: WasmCall): TensorInfo | null {
  const to = attrs.dtype as string;
  const from = backend.storedDType(x);
  const known = (dtype: string): dtype is DType =>
    dtype === "float32" || dtype === "int32" || dtype === "bool";
  if (!known(from) || !known(to)) return null;
  if (from === to) return { ...backend.alias(x, x.shape), dtype: to };
  const source = backend.pointer(x);
  const output = backend.allocateOutput(x.shape, to);
  const { exports } = backend;
  const conversions: Record<string, (x: number, output: number, count: number) => void> = {
    "int32 float32": exports.castIntegers,
    "float32 int32": exports.castFloats,
    "bool float32": exports.castBooleansToFloats,
    "bool int32": exports.castBooleansToIntegers,
    "float32 bool": exports.castFloatsToBooleans,
    "int32 bool": exports.castIntegersToBooleans,
  };
  conversions[`${from} ${to}`](source, backend.pointer(output), sizeOf(x.shape));
  return output;
}

const plainUnary = [
  "Relu",
  "Relu6",
  "Exp",
  "Log",
  "Tanh",
  "Sigmoid",
  "Rsqrt",
  "Sqrt",
  "Neg",
  "Square",
  "Erf",
  "Abs",
  "Reciprocal",
  "Elu",
  "Floor",
  "Ceil",
  "Round",
  "Softplus",
  "Log1p",
  "Expm1",
  "Sin",
  "Cos",
  "Tan",
  "Sign",
  "Asin",
  "Acos",
  "Atan",
  "Sinh",
  "Cosh",
  "Asinh",
  "Acosh",
  "Atanh",
] as const;

export const ELEMENTWISE_KERNELS: WasmKernels = {
  ...Object.fromEntries(plainUnary.map((name) => [name, unaryKernel(UNARY[name])])),
  ...Object.fromEntries(Object.entries(BINARY).map(([name, operation]) => [name, binaryKernel(operation)])),
  ...Object.fromEntries(
    Object.entries(COMPARISONS).map(([name, operation]) => [name, comparisonKernel(operation)]),
  ),
  Step: ({ inputs, attrs, backend }) =>
    unary(backend, UNARY.Step, inputs.x, attrs.alpha as number | undefined),
  LeakyRelu: ({ inputs, attrs, backend }) => unary(backend, UNARY.LeakyRelu, inputs.x, attrs.alpha as number),
  ClipByValue: ({ inputs, attrs, backend }) =>
    unary(backend, UNARY.ClipByValue, inputs.x, attrs.clipValueMin as number, attrs.clipValueMax as number),
  Select: select,
  Cast: cast,
};
