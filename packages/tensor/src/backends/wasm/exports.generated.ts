// Made by packages/tensor/wasm/build.mjs; do not edit.

/** Functions of the compiled kernels; addresses are bytes from the start of the memory. */
export interface WasmExports {
  setScratch(pointer: number): void;
  setConvolution(image: number, height: number, width: number, channels: number, outHeight: number, outWidth: number, filterHeight: number, filterWidth: number, strideHeight: number, strideWidth: number, padTop: number, padLeft: number, dilationHeight: number, dilationWidth: number): void;
  setProduct(a: number, b: number, c: number, rows: number, columns: number, depth: number, strideA: number, strideB: number, strideC: number, transposeA: number, transposeB: number, bias: number, activation: number, packedB: number, source: number, filterChannels: number): void;
  packProduct(): void;
  multiply(): void;
  multiplyBatch(count: number, batchA: number, batchB: number, batchC: number): void;
  multiplyDeep(): void;
  multiplyVector(x: number, b: number, y: number, columns: number, depth: number, stride: number, bias: number, activation: number): void;
  multiplyVectorTransposed(x: number, b: number, y: number, columns: number, depth: number, stride: number, bias: number, activation: number): void;
}
