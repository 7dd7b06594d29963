import type { KernelBackend, TensorInfo } from "@tensorflow/tfjs-core";
import type { DType } from "../../../dtype.js";
import type { KernelCall } from "../../../kernels/define-kernel.js";
import { broadcastShapes, sizeOf } from "../../../shape.js";
import { dispatch, f32, type TypedView, type Uniform } from "../dispatch.js";
import { broadcastStrides, walk, walkWgsl } from "./walk.js";
import { wgslFunctions } from "./wgsl.js";

/** What is computed of each element. */
export interface Elementwise {
  readonly name: string;
  /** WGSL over the inputs' names, for example `a + b`. */
  readonly expression: string;
  /** Names in wgsl.ts that the expression calls. */
  readonly functions?: readonly string[];
  readonly dtype: DType;
  /** Move bits instead of numbers: every input of 4 bytes and the output are `u32`. */
  readonly bits?: boolean;
  readonly uniforms?: Readonly<Record<string, Uniform>>;
}

/** Computes a result element by element from inputs that broadcast, of any rank. */
export function elementwise(
  backend: KernelBackend,
  inputs: Readonly<Record<string, TensorInfo>>,
  { name, expression, functions = [], dtype, bits = false, uniforms = {} }: Elementwise,
): TensorInfo {
  const names = Object.keys(inputs);
  const shape = names.reduce<number[]>((result, key) => broadcastShapes(name, result, inputs[key].shape), []);
  const { rank, uniforms: steps } = walk(
    "axis",
    shape,
    Object.fromEntries(names.map((key) => [key, { strides: broadcastStrides(inputs[key].shape, shape) }])),
  );
  const views: Record<string, TensorInfo | TypedView> = {};
  for (const key of names)
    views[`${key}Values`] = bits ? { tensor: inputs[key], element: "u32" } : inputs[key];
  return dispatch(backend, {
    name,
    variant: `${rank}${expression}`,
    inputs: views,
    outputs: { result: { shape, dtype, ...(bits ? { element: "u32" } : {}) } },
    uniforms: { ...steps, ...uniforms },
    threads: sizeOf(shape),
    declarations: () => wgslFunctions(functions),
    body: () => `${walkWgsl("axis", rank, names, "index")}
${names.map((key) => `let ${key} = ${key}Values[${key}At];`).join("\n")}
result[index] = ${expression};`,
  })[0];
}

/** WGSL of an op for floats and for integers, where both exist. */
interface Formula {
  readonly float?: string;
  readonly int?: string;
  readonly functions?: readonly string[];
  /** The result's dtype when it is not the input's. */
  readonly dtype?: DType;
}

/** NaN compares as false, which WGSL does not promise. */
const ordered = (comparison: string): Formula => ({
  float: `select(0, 1, ${comparison} && !isNanBits(a) && !isNanBits(b))`,
  int: `select(0, 1, ${comparison})`,
  functions: ["isNanBits"],
  dtype: "bool",
});

const BINARY = {
  Add: { float: "a + b", int: "a + b" },
  Sub: { float: "a - b", int: "a - b" },
  Multiply: { float: "a * b", int: "a * b" },
  RealDiv: { float: "a / b" },
  FloorDiv: {
    float: "floorDivideOf(a, b)",
    int: "floorDivideInt(a, b)",
    functions: ["floorDivide", "floorDivideInt"],
  },
  Mod: { float: "remainderOf(a, b)", int: "remainderInt(a, b)", functions: ["remainder", "remainderInt"] },
  Pow: { float: "powOf(a, b)", int: "powInt(a, b)", functions: ["pow", "powInt"] },
  Maximum: { float: "maxOf(a, b)", int: "max(a, b)", functions: ["maxOf"] },
  Minimum: { float: "minOf(a, b)", int: "min(a, b)", functions: ["minOf"] },
  SquaredDifference: { float: "(a - b) * (a - b)", int: "(a - b) * (a - b)" },
  Atan2: { float: "atan2Of(a, b)", functions: ["atan2"] },
  Equal: ordered("a == b"),
  NotEqual: {
    float: "select(0, 1, a != b || isNanBits(a) || isNanBits(b))",
    int: "select(0, 1, a != b)",
    functions: ["isNanBits"],
    dtype: "bool",
  },
  Less: ordered("a < b"),
  LessEqual: ordered("a <= b"),
  Greater: ordered("a > b"),
  GreaterEqual: ordered("a >= b"),
  ReluGrad: { float: "select(dy, 0.0, y <= 0.0 && !isNanBits(y))", functions: ["isNanBits"] },
  SigmoidGrad: { float: "dy * (y * (1.0 - y))" },
  TanhGrad: { float: "dy * (1.0 - y * y)" },
  SiluGrad: {
    float: "dy * sigmoidOf(x) * (x * (1.0 - sigmoidOf(x)) + 1.0)",
    functions: ["sigmoid"],
  },
  LogicalAnd: { int: "a & b", dtype: "bool" },
  LogicalOr: { int: "a | b", dtype: "bool" },
} satisfies Readonly<Record<string, Formula>>;

/** Leaves NaN alone where WGSL's function may not. */
const nanSafe = (expression: string): Formula => ({
  float: `select(${expression}, x, isNanBits(x))`,
  functions: ["isNanBits"],
});

const UNARY = {
  Neg: { float: "-x", int: "-x" },
  Abs: { float: "bitcast<f32>(bitcast<u32>(x) & 0x7fffffffu)", int: "abs(x)" },
  Sign: { float: "select(sign(x), 0.0, isNanBits(x))", int: "sign(x)", functions: ["isNanBits"] },
  Floor: nanSafe("floor(x)"),
  Ceil: nanSafe("ceil(x)"),
  Round: nanSafe("round(x)"),
  Exp: { float: "expOf(x)", functions: ["exp"] },
  Expm1: { float: "expm1Of(x)", functions: ["expm1"] },
  Log: { float: "logOf(x)", functions: ["log"] },
  Log1p: { float: "log1pOf(x)", functions: ["log1p"] },
  Sqrt: { float: "sqrtOf(x)", functions: ["sqrt"] },
  Rsqrt: { float: "rsqrtOf(x)", functions: ["rsqrt"] },
  Square: { float: "x * x", int: "x * x" },
  Reciprocal: { float: "1.0 / x" },
  Sin: { float: "sineAndCosine(x).x", functions: ["trigonometry"] },
  Cos: { float: "sineAndCosine(x).y", functions: ["trigonometry"] },
  Tan: { float: "tanOf(x)", functions: ["tan"] },
  Asin: { float: "asinOf(x)", functions: ["asin"] },
  Acos: { float: "acosOf(x)", functions: ["acos"] },
  Atan: { float: "atanOf(x)", functions: ["atan"] },
  Sinh: { float: "sinhOf(x)", functions: ["sinh"] },
  Cosh: { float: "coshOf(x)", functions: ["cosh"] },
  Tanh: { float: "tanhOf(x)", functions: ["tanh"] },
  Asinh: { float: "asinhOf(x)", functions: ["asinh"] },
  Acosh: { float: "acoshOf(x)", functions: ["acosh"] },
  Atanh: { float: "atanhOf(x)", functions: ["atanh"] },
  Erf: { float: "erfOf(x)", functions: ["erf"] },
  Sigmoid: { float: "sigmoidOf(x)", functions: ["sigmoid"] },
  Relu: { float: "maxOf(x, 0.0)", int: "max(x, 0)", functions: ["maxOf"] },
  Relu6: { float: "minOf(maxOf(x, 0.0), 6.0)", int: "clamp(x, 0, 6)", functions: ["maxOf", "minOf"] },
  Elu: {
    float: "uniforms.scale * select(uniforms.alpha * expm1Of(minOf(x, 0.0)), x, x > 0.0)",
    functions: ["expm1", "minOf"],
  },
  LeakyRelu: nanSafe("select(uniforms.negativeSlope * x, x, x > 0.0)"),
  Softplus: {
    float: "select(softplusOf(uniforms.beta * x) / uniforms.beta, x, uniforms.beta * x > uniforms.threshold)",
    functions: ["softplus"],
  },
  LogSigmoid: { float: "-softplusOf(-x)", functions: ["softplus"] },
  Silu: { float: "x * sigmoidOf(x)", functions: ["sigmoid"] },
  Mish: { float: "x * tanhOf(softplusOf(x))", functions: ["softplus", "tanh"] },
  HardSwish: { float: "x * (minOf(maxOf(x + 3.0, 0.0), 6.0) / 6.0)", functions: ["maxOf", "minOf"] },
  HardSigmoid: { float: "minOf(maxOf(x + 3.0, 0.0), 6.0) / 6.0", functions: ["maxOf", "minOf"] },
  ClipByValue: { float: "minOf(maxOf(x, uniforms.min), uniforms.max)", functions: ["maxOf", "minOf"] },
  LogicalNot: { int: "1 - x", dtype: "bool" },
  IsNan: { float: "select(0, 1, isNanBits(x))", functions: ["isNanBits"], dtype: "bool" },
  IsInf: { float: "select(0, 1, isInfBits(x))", functions: ["isInfBits"], dtype: "bool" },
  IsFinite: { float: "select(0, 1, (bitcast<u32>(x) & 0x7fffffffu) < 0x7f800000u)", dtype: "bool" },
} satisfies Readonly<Record<string, Formula>>;

const FORMULAS = { ...BINARY, ...UNARY };

/**
 * Any op that computes its result element by element from inputs of one dtype that broadcast; `name` is the kernel's.
 * Numbers in its attributes are uniforms. `null` where the op has no formula for the dtype.
 */
export function elementwiseWebgpu(
  { inputs, attrs, backend }: KernelCall,
  name: keyof typeof FORMULAS,
): TensorInfo | null {
  const formula: Formula = FORMULAS[name];
  const [{ dtype }] = Object.values(inputs);
  const isFloat = dtype === "float32";
  const expression = isFloat ? formula.float : formula.int;
  if (expression === undefined) return null;
  const functions = formula.functions?.filter((called) => isFloat !== called.endsWith("Int"));
  const uniforms = Object.fromEntries(
    Object.entries(attrs).map(([key, value]) => [key, f32(value as number)]),
  );
  return elementwise(backend, inputs, {
    name,
    expression,
    functions,
    dtype: formula.dtype ?? (dtype as DType),
    uniforms,
  });
}

/** `ai/Where`: the bits of `a` where `condition` is true, else of `b`, with broadcasting of all three. */
export function whereWebgpu({ inputs, backend }: KernelCall): TensorInfo {
  const { condition, a, b } = inputs;
  return elementwise(
    backend,
    { condition, a, b },
    {
      name: "Where",
      expression: "select(b, a, condition != 0u)",
      dtype: a.dtype as DType,
      bits: true,
    },
  );
}

const CASTS: Readonly<Record<string, string>> = {
  "float32 int32": "select(i32(x), 0, isNanBits(x))",
  "float32 bool": "select(0, 1, (bitcast<u32>(x) & 0x7fffffffu) != 0u)",
  "int32 float32": "f32(x)",
  "int32 bool": "select(0, 1, x != 0)",
  "bool float32": "f32(x)",
  "bool int32": "x",
};

/** `ai/Cast`: floats are cut off towards zero (NaN gives 0), anything but 0 is true. */
export function castWebgpu({
  inputs: { x },
  attrs: { dtype },
  backend,
}: KernelCall<{ dtype: DType }>): TensorInfo {
  return elementwise(
    backend,
    { x },
    {
      name: "Cast",
      expression: CASTS[`${x.dtype} ${dtype}`],
      functions: x.dtype === "float32" && dtype === "int32" ? ["isNanBits"] : [],
      dtype,
    },
  );
}
