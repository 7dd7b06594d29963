export { setScratch } from "./layout";
export { workerLoop } from "./threads";
export { setConvolution, setGroup } from "./pack-convolution";
export { setProduct, packProduct, multiply, multiplyBatch } from "./gemm";
export { multiplyDeep, deepParts } from "./gemm-deep";
export { multiplyVector, multiplyVectorTransposed, vectorParts } from "./gemv";
export { setAxis } from "./strided";
export { binary, binaryBroadcast, compareBroadcast } from "./binary";
export { integerBroadcast, integerUnary } from "./integer-elementwise";
export { select } from "./select";
export { unary } from "./unary";
export {
  castIntegers,
  castFloats,
  castBooleansToFloats,
  castBooleansToIntegers,
  castFloatsToBooleans,
  castIntegersToBooleans,
} from "./cast";
export { copyRuns, copyTransposed, fill, repeatElements } from "./copy";
export { gather, scatterAdd, takeAlong, putAlong } from "./gather";
export { reduceRows } from "./reduce";
export { reduceColumns } from "./reduce-columns";
export { softmax, softmaxGradient, logSoftmax, logSoftmaxGradient } from "./softmax";
export { argExtreme, argExtremeOfIntegers } from "./arg-extreme";
export { argSort, sortBytes } from "./sort";
export { cumulative } from "./cumulative";
export { resample } from "./resample";
export { reduceIntegers, reduceTruth, testFloats, logic, oneHot, flattenIndices, selectTruth } from "./integers";
export { maxPool, maxPoolCells, maxPoolGradient, averagePool, averagePoolGradient } from "./pool";
export {
  layerNorm,
  layerNormInputGradient,
  layerNormParameterGradient,
  normParts,
  rmsNorm,
  rmsNormInputGradient,
  rmsNormWeightGradient,
} from "./normalization";
export { geluForward as gelu, geluGradient } from "./gelu";
export { adamwUpdate, sgdUpdate } from "./optimizer";
export { lstmCell, lstmCellGradient, gruCell, gruCellGradient } from "./recurrent";
export { lstmSequence, lstmSequenceGradient, lstmSequenceBytes } from "./lstm-sequence";
export { gruSequence, gruSequenceGradient, gruSequenceBytes } from "./gru-sequence";
export { linearChain, linearChainGradient, linearChainBytes } from "./linear-chain";
export { setAttention, setAttentionDropout } from "./attention-shared";
export { attentionBytes, attention } from "./attention";
export { attentionGradientBytes, attentionGradient } from "./attention-gradient";
export { crossEntropy, crossEntropyGradient } from "./cross-entropy";
export { groupNormBytes, groupNorm, groupNormGradient } from "./group-norm";
export { centredColumns, columnParts, batchNorm, batchNormInputGradient } from "./batch-norm";
export { convolveDirect, directBytes } from "./conv-direct";
export { directFilterGradient, directInputGradient, directSumBytes } from "./conv-direct-gradient";
export { depthwise } from "./depthwise";
export {
  depthwiseInputGradient,
  depthwiseParts,
  depthwiseFilterGradient,
  repeatChannels,
} from "./depthwise-gradient";
export { ctcBytes, ctcLoss, ctcLossGradient } from "./ctc";
export { fftBytes, setRadix, realFft, inverseRealFft } from "./fft";
export { linearScan } from "./linear-scan";
export { selectiveScan } from "./selective-scan";
export { selectiveScanBytes, selectiveScanGradient } from "./selective-scan-gradient";
export { unpackWeights, packWeights } from "./quantized";
export { quantizedBytes } from "./quantized-activations";
export { multiplyQuantized } from "./quantized-rows";
export { bernoulli, randomIntegers, randomUniform } from "./philox";
export { randomNormal } from "./random-normal";
export { activate } from "./activation-forward";
export { activationGradient } from "./activation-gradient";
export { rotaryEmbedding } from "./rotary";
