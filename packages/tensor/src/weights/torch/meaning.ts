import type { SafetensorsDType } from "../dtypes.js";
import { describeValue, PickleDict, PickleGlobal, PickleMade, type PickleValue } from "./pickle-values.js";
import type { PickleMeaning } from "./unpickle.js";

/** A storage that a pickle speaks of; its bytes lie outside of the pickle. */
export class StorageReference extends PickleMade {
  readonly kind = "a storage";
  constructor(
    /** Name of its bytes in the file. */
    readonly key: string,
    /** `FloatStorage` …; undefined for one without a type. */
    readonly type: StorageType,
    /** Elements of the whole storage. */
    readonly elements: number,
    /** First element and number of them that are meant (files of old versions). */
    readonly part: { readonly start: number; readonly length: number },
  ) {
    super();
  }
}

/** A tensor that a pickle speaks of. */
export class TensorReference extends PickleMade {
  readonly kind = "a tensor";
  constructor(
    readonly storage: StorageReference,
    readonly type: StorageType,
    readonly view: {
      /** First element in the storage. */
      readonly offset: number;
      readonly shape: readonly number[];
      readonly strides: readonly number[];
    },
  ) {
    super();
  }
}

/** An element type as PyTorch calls it, its bytes, and the type that decodes it if one does. */
export interface StorageType {
  readonly name: string;
  readonly bytes: number;
  readonly stored?: SafetensorsDType;
}

const type = (name: string, bytes: number, stored?: SafetensorsDType): StorageType => ({
  name: `torch.${name}`,
  bytes,
  ...(stored === undefined ? {} : { stored }),
});

const TYPES: Readonly<Record<string, StorageType>> = {
  float64: type("float64", 8, "F64"),
  float32: type("float32", 4, "F32"),
  float16: type("float16", 2, "F16"),
  bfloat16: type("bfloat16", 2, "BF16"),
  int64: type("int64", 8, "I64"),
  int32: type("int32", 4, "I32"),
  int16: type("int16", 2, "I16"),
  int8: type("int8", 1, "I8"),
  uint8: type("uint8", 1, "U8"),
  uint16: type("uint16", 2, "U16"),
  uint32: type("uint32", 4, "U32"),
  uint64: type("uint64", 8, "U64"),
  bool: type("bool", 1, "BOOL"),
  complex32: type("complex32", 4),
  complex64: type("complex64", 8),
  complex128: type("complex128", 16),
  float8_e4m3fn: type("float8_e4m3fn", 1),
  float8_e5m2: type("float8_e5m2", 1),
  float8_e4m3fnuz: type("float8_e4m3fnuz", 1),
  float8_e5m2fnuz: type("float8_e5m2fnuz", 1),
  float8_e8m0fnu: type("float8_e8m0fnu", 1),
};

const UNTYPED: StorageType = { name: "an untyped storage", bytes: 1 };

const STORAGES: Readonly<Record<string, StorageType>> = {
  "torch.DoubleStorage": TYPES.float64,
  "torch.FloatStorage": TYPES.float32,
  "torch.HalfStorage": TYPES.float16,
  "torch.BFloat16Storage": TYPES.bfloat16,
  "torch.LongStorage": TYPES.int64,
  "torch.IntStorage": TYPES.int32,
  "torch.ShortStorage": TYPES.int16,
  "torch.CharStorage": TYPES.int8,
  "torch.ByteStorage": TYPES.uint8,
  "torch.BoolStorage": TYPES.bool,
  "torch.ComplexFloatStorage": TYPES.complex64,
  "torch.ComplexDoubleStorage": TYPES.complex128,
  "torch.storage.UntypedStorage": UNTYPED,
};

const OTHERS = new Set([
  "collections.OrderedDict",
  "torch._utils._rebuild_tensor",
  "torch._utils._rebuild_tensor_v2",
  "torch._utils._rebuild_tensor_v3",
  "torch._utils._rebuild_parameter",
  "torch._utils._rebuild_parameter_with_state",
  "torch._tensor._rebuild_from_type_v2",
  "torch.nn.parameter.Parameter",
  "torch.nn.parameter.Buffer",
  "torch.Tensor",
  "torch.Size",
  "torch.device",
  "_codecs.encode",
  "builtins.set",
  "__builtin__.set",
]);

const MOST_AXES = 64;

/** A dtype by its name (`torch.uint16`). */
function dtypeOf(value: PickleValue | undefined): StorageType | undefined {
  if (!(value instanceof PickleGlobal) || !value.path.startsWith("torch.")) return undefined;
  const name = value.path.slice("torch.".length);
  return Object.hasOwn(TYPES, name) ? TYPES[name] : undefined;
}

function isCount(value: PickleValue | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function counts(value: PickleValue | undefined, what: string, fail: (problem: string) => never): number[] {
  if (!Array.isArray(value) || value.length > MOST_AXES || !value.every(isCount))
    return fail(`a tensor whose ${what} is ${describeValue(value)} and not of integers from 0 on`);
  // a copy: the pickle could go on changing its list
  return value.slice() as number[];
}

function rebuildTensor(values: readonly PickleValue[], fail: (problem: string) => never): TensorReference {
  const [storage, offset, sizes, steps, , , dtype] = values;
  if (!(storage instanceof StorageReference)) return fail(`a tensor over ${describeValue(storage)}`);
  if (!isCount(offset)) return fail(`a tensor at offset ${describeValue(offset)}`);
  const shape = counts(sizes, "shape", fail);
  const strides = counts(steps, "strides", fail);
  if (shape.length !== strides.length)
    fail(`a tensor of ${shape.length} axes with ${strides.length} strides`);
  const stored = storage.type === UNTYPED ? dtypeOf(dtype) : storage.type;
  if (stored === undefined) return fail(`a tensor of the dtype ${describeValue(dtype)}`);
  return new TensorReference(storage, stored, { offset, shape, strides });
}

function call(path: string, values: readonly PickleValue[], fail: (problem: string) => never): PickleValue {
  switch (path) {
    case "collections.OrderedDict": {
      const dict = new PickleDict();
      const [pairs = []] = values;
      if (!Array.isArray(pairs)) return fail(`an OrderedDict of ${describeValue(pairs)}`);
      for (const pair of pairs) {
        if (!Array.isArray(pair) || pair.length !== 2) return fail("an OrderedDict that is not of pairs");
        dict.set(pair[0], pair[1]);
      }
      return dict;
    }
    case "torch._utils._rebuild_tensor":
    case "torch._utils._rebuild_tensor_v2":
    case "torch._utils._rebuild_tensor_v3":
      return rebuildTensor(values, fail);
    case "torch._utils._rebuild_parameter":
    case "torch._utils._rebuild_parameter_with_state":
    case "torch.nn.parameter.Parameter":
    case "torch.nn.parameter.Buffer":
      return values[0] instanceof TensorReference
        ? values[0]
        : fail(`a parameter of ${describeValue(values[0])}`);
    case "torch._tensor._rebuild_from_type_v2": {
      const [target, , inner] = values;
      return target instanceof PickleGlobal && target.path !== path && Array.isArray(inner)
        ? call(target.path, inner, fail)
        : fail(`a tensor made by ${describeValue(target)}`);
    }
    case "torch.Size":
    case "builtins.set":
    case "__builtin__.set": {
      const [items = []] = values;
      return Array.isArray(items) ? items : fail(`${path} of ${describeValue(items)}`);
    }
    case "torch.device":
      return values.map((value) => (typeof value === "string" || isCount(value) ? value : "?")).join(":");
    case "_codecs.encode": {
      const [text, coding] = values;
      if (typeof text !== "string" || coding !== "latin1") return fail("bytes in another coding than latin1");
      return Uint8Array.from(text, (character) => character.charCodeAt(0));
    }
    default:
      return fail(`a call of ${path}`);
  }
}

/** `("storage", TYPE, KEY, DEVICE, ELEMENTS)`; old versions add `(KEY, START, LENGTH)` of a part, or None. */
function persistent(id: PickleValue, fail: (problem: string) => never): StorageReference {
  if (!Array.isArray(id) || id[0] !== "storage")
    return fail(`a reference to ${Array.isArray(id) ? describeValue(id[0]) : describeValue(id)}`);
  const [, kind, key, , elements, part = null] = id;
  const path = kind instanceof PickleGlobal ? kind.path : "";
  if (!Object.hasOwn(STORAGES, path)) return fail(`a storage of ${describeValue(kind)}`);
  const name = typeof key === "number" || typeof key === "bigint" ? String(key) : key;
  if (typeof name !== "string") return fail(`a storage named ${describeValue(key)}`);
  if (!isCount(elements)) return fail(`a storage of ${describeValue(elements)} elements`);
  if (part === null)
    return new StorageReference(name, STORAGES[path], elements, { start: 0, length: elements });
  const [, start, length] = Array.isArray(part) ? part : [];
  if (!isCount(start) || !isCount(length) || start + length > elements)
    return fail(`a part of a storage that is not inside its ${elements} elements`);
  return new StorageReference(name, STORAGES[path], elements, { start, length });
}

/** What `torch.save` puts into a pickle; everything else is refused. */
export const TORCH_MEANING: PickleMeaning = {
  isAllowed: (path) =>
    OTHERS.has(path) || Object.hasOwn(STORAGES, path) || dtypeOf(new PickleGlobal(path)) !== undefined,
  call,
  persistent,
};
