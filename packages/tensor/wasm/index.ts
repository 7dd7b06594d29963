export { setScratch } from "./layout";
export { workerLoop } from "./threads";
export { setConvolution } from "./pack-convolution";
export { setProduct, packProduct, multiply, multiplyBatch, multiplyDeep, deepParts } from "./gemm";
export { multiplyVector, multiplyVectorTransposed, vectorParts } from "./gemv";
export { setAxis } from "./strided";
export { binary, binaryBroadcast, compareBroadcast, integerBroadcast, select } from "./binary";
export {
  unary,
  castIntegers,
  castFloats,
  castBooleansToFloats,
  castBooleansToIntegers,
  castFloatsToBooleans,
  castIntegersToBooleans,
} from "./unary";
export { copyRuns, copyTransposed, fill, repeatElements, gather, scatterAdd } from "./copy";
export {
  reduceRows,
  reduceColumns,
  softmax,
  softmaxGradient,
  logSoftmax,
  logSoftmaxGradient,
  argMaxRows,
} from "./reduce";
export { maxPool, maxPoolGradient, averagePool, averagePoolGradient } from "./pool";
export {
  layerNorm,
  layerNormInputGradient,
  layerNormParameterGradient,
  rmsNorm,
  rmsNormInputGradient,
  rmsNormWeightGradient,
} from "./normalization";
export { geluForward as gelu, geluGradient } from "./gelu";
export { adamwUpdate, sgdUpdate } from "./optimizer";
export { lstmCell, lstmCellGradient, gruCell, gruCellGradient } from "./recurrent";
export { crossEntropy, crossEntropyGradient } from "./cross-entropy";
export { centredColumns, batchNorm, batchNormInputGradient } from "./batch-norm";
export { depthwise, depthwiseInputGradient, depthwiseFilterGradient } from "./depthwise";
