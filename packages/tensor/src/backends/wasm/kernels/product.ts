import type { WasmBackend } from "../backend.js";

/** How the rows of A are found; the numbers of wasm/layout.ts. */
export const SOURCE = { matrix: 0, patches: 1, scattered: 2, patchesTransposed: 3 } as const;

/** Activations that a product applies itself; the flags of wasm/micro-kernel.ts and, from 16 on, wasm/activation.ts. */
export const FUSED_ACTIVATIONS: Readonly<Record<string, number>> = {
  linear: 0,
  relu: 4,
  relu6: 8,
  gelu: 1 << 4,
  "gelu-tanh": 2 << 4,
  silu: 3 << 4,
  sigmoid: 4 << 4,
  tanh: 5 << 4,
  "hard-swish": 6 << 4,
  "leaky-relu": 7 << 4,
};

/** Depth of a block of B where it is packed a block at a time; DEPTH_LIMIT of wasm/gemm.ts. */
const DEPTH_LIMIT = 320;

/** A product `C[rows, columns] = act(A[rows, depth] · B[depth, columns] + bias)` by address. */
export interface Product {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Address of `columns` floats; 0 for none. */
  readonly bias?: number;
  readonly activation?: number;
  /** One of {@link SOURCE}; anything but `matrix` reads the geometry that `setConvolution` set. */
  readonly source?: number;
  /** Channels of the filter that B is, in a convolution's input gradient. */
  readonly filterChannels?: number;
  /** Floats from row to row, where a matrix is part of a wider one. */
  readonly strideA?: number;
  readonly strideB?: number;
  readonly strideC?: number;
  /** Tells the parts of one tensor apart that B is taken from. */
  readonly part?: number;
  /** Images whose patches are read in place, without packing: wasm/conv-direct.ts. */
  readonly directBatch?: number;
}

/** Bytes of B in packed form: panels of eight columns. */
export function packedBytes(columns: number, depth: number): number {
  return Math.ceil(columns / 8) * 32 * depth;
}

/** Hands a product to the kernels. @param packed Address of B in packed form. */
export function setProduct(backend: WasmBackend, product: Product, packed: number): void {
  const { a, b, c, rows, columns, depth, transposeA = false, transposeB = false } = product;
  const { bias = 0, activation = 0, source = SOURCE.matrix, filterChannels = 0 } = product;
  backend.exports.setProduct(
    a,
    b,
    c,
    rows,
    columns,
    depth,
    product.strideA ?? (transposeA ? rows : depth),
    product.strideB ?? (filterChannels || (transposeB ? depth : columns)),
    product.strideC ?? columns,
    Number(transposeA),
    Number(transposeB),
    bias,
    activation,
    packed,
    source,
    filterChannels,
  );
}

/**
 * Computes a product.
 * @param tensorB The tensor that B lies in, when a packed copy of it may be kept for its next use.
 */
export function multiply(backend: WasmBackend, product: Product, tensorB?: { dataId: object }): void {
  const { exports } = backend;
  const {
    a,
    b,
    c,
    rows,
    columns,
    depth,
    transposeA,
    transposeB,
    bias = 0,
    activation = 0,
    source = 0,
    filterChannels = 0,
    strideB = filterChannels || (transposeB ? depth : columns),
    part = 0,
  } = product;
  if (rows === 1 && source === SOURCE.matrix && !transposeA) {
    if (transposeB) exports.multiplyVectorTransposed(a, b, c, columns, depth, strideB, bias, activation);
    else {
      const count = exports.vectorParts(columns, depth);
      const parts = count > 1 ? backend.scratch(count * columns * 4) : 0;
      exports.multiplyVector(a, b, c, columns, depth, strideB, bias, activation, parts);
    }
    return;
  }
  const bytes = packedBytes(columns, depth);
  const layout = `${transposeB ? "t" : "n"}${columns},${depth},${filterChannels},${part}`;
  const copy = tensorB === undefined ? undefined : backend.packedCopy(tensorB, layout, bytes);
  setProduct(backend, product, copy?.pointer ?? backend.scratch(bytes));
  if (copy?.isFilled !== true) exports.packProduct();
  // not before: when a thread is lost while it packs, the next use packs again
  if (copy !== undefined) copy.isFilled = true;
  if (product.directBatch === undefined) exports.multiply();
  else exports.convolveDirect(product.directBatch);
}

/** Packed matrices of at most this many bytes: each thread packs one of its own. */
const BATCH_LIMIT_BYTES = 2 ** 21;

/** `count` products of one shape; strides between the matrices in floats, 0 where one matrix serves all. */
export function multiplyBatch(
  backend: WasmBackend,
  product: Product,
  count: number,
  strides: { readonly a: number; readonly b: number; readonly c: number },
): void {
  const bytes = packedBytes(product.columns, product.depth);
  const { threads } = backend.runtime.pool;
  const each = bytes <= BATCH_LIMIT_BYTES || count >= 4 * threads ? bytes : 0;
  setProduct(backend, product, backend.scratch(each === 0 ? bytes : each * threads));
  backend.exports.multiplyBatch(count, strides.a, strides.b, strides.c, each);
}

/** A product without bias whose depth is far above its rows and columns. */
export function multiplyDeep(backend: WasmBackend, product: Product): void {
  const { rows, columns, depth } = product;
  const parts = backend.exports.deepParts(rows, columns, depth);
  const packed = packedBytes(columns, DEPTH_LIMIT) * (parts > 1 ? backend.runtime.pool.threads : 1);
  const memory = backend.scratch(packed + (parts > 1 ? parts * rows * columns * 4 : 0));
  setProduct(backend, product, memory);
  backend.exports.multiplyDeep(memory + packed);
}
