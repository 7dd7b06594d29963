export { setScratch } from "./layout";
export { setConvolution } from "./pack-convolution";
export { setProduct, packProduct, multiply, multiplyBatch, multiplyDeep } from "./gemm";
export { multiplyVector, multiplyVectorTransposed } from "./gemv";
