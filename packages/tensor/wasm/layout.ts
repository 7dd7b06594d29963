// Addresses below 64 KiB, which the allocator never hands out. Each thread runs a module instance of its own over one
// memory: what kernels share lies here, what belongs to a thread is a global of its instance.

/** The job queue of threads.ts: 1 KiB. */
export const CONTROL: usize = 64;
/** 32-bit words that describe the product and the convolution being done. */
const DESCRIPTOR: usize = 2048;
/** 16 KiB that stay zero: the source of padding. */
export const ZEROS: usize = 16384;
/** Floats that may be read at {@link ZEROS}. */
export const ZERO_COUNT: i32 = 4096;

// Words of a matrix product: C = act(A B + bias). Strides are in bytes.
export const A: i32 = 0;
export const B: i32 = 1;
export const C: i32 = 2;
export const ROWS: i32 = 3;
export const COLUMNS: i32 = 4;
export const DEPTH: i32 = 5;
export const STRIDE_A: i32 = 6;
export const STRIDE_B: i32 = 7;
export const STRIDE_C: i32 = 8;
export const TRANSPOSE_A: i32 = 9;
export const TRANSPOSE_B: i32 = 10;
export const BIAS: i32 = 11;
export const ACTIVATION: i32 = 12;
export const PACKED_B: i32 = 13;
/** How rows of A are found: one of the SOURCE constants. */
export const SOURCE: i32 = 14;
/** Channels of the filter taps that make up B in a convolution's input gradient; 0 for a plain matrix. */
export const FILTER_CHANNELS: i32 = 15;
export const DEPTH_BLOCK: i32 = 16;
export const ROW_BLOCK: i32 = 17;
/** Panels of B that one task multiplies. */
export const GROUP_PANELS: i32 = 18;
/** Groups of panels. */
export const GROUPS: i32 = 19;

// Words of a convolution.
export const IMAGE: i32 = 24;
export const HEIGHT: i32 = 25;
export const WIDTH: i32 = 26;
export const CHANNELS: i32 = 27;
export const OUT_HEIGHT: i32 = 28;
export const OUT_WIDTH: i32 = 29;
export const FILTER_HEIGHT: i32 = 30;
export const FILTER_WIDTH: i32 = 31;
export const STRIDE_HEIGHT: i32 = 32;
export const STRIDE_WIDTH: i32 = 33;
export const PAD_TOP: i32 = 34;
export const PAD_LEFT: i32 = 35;
export const DILATION_HEIGHT: i32 = 36;
export const DILATION_WIDTH: i32 = 37;
/** Channels of a whole pixel: more than {@link CHANNELS} where only a group of them is read. */
export const PIXEL_CHANNELS: i32 = 38;

/** A is a matrix in memory. */
export const SOURCE_MATRIX: i32 = 0;
/** Rows of A are the patches under an output pixel. */
export const SOURCE_PATCHES: i32 = 1;
/** Rows of A are the output gradients that an input pixel took part in. */
export const SOURCE_SCATTERED: i32 = 2;
/** Rows of A are elements of a patch, columns are output pixels. */
export const SOURCE_PATCHES_TRANSPOSED: i32 = 3;

// @ts-ignore: decorator
@inline
export function word(index: i32): i32 {
  return load<i32>(DESCRIPTOR + (<usize>index << 2));
}

// @ts-ignore: decorator
@inline
export function address(index: i32): usize {
  return load<usize>(DESCRIPTOR + (<usize>index << 2));
}

// @ts-ignore: decorator
@inline
export function setWord(index: i32, value: i32): void {
  store<i32>(DESCRIPTOR + (<usize>index << 2), value);
}

let workingMemory: usize = 0;

/** Gives this thread working memory: at least 256 KiB. */
export function setScratch(pointer: usize): void {
  workingMemory = pointer;
}

/** Working memory of this thread, valid within one task. */
// @ts-ignore: decorator
@inline
export function scratch(): usize {
  return workingMemory;
}

// @ts-ignore: decorator
@inline
export function divideUp(a: i32, b: i32): i32 {
  return (a + b - 1) / b;
}
