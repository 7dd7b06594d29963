export * from "./activations.js";
export * from "./adapters/index.js";
export * from "./adaptive-log-softmax.js";
export * from "./adaptive-pooling.js";
export * from "./attention.js";
export type { AttentionMasks } from "./attention-masks.js";
export * from "./bilinear.js";
export * from "./channel-layers.js";
export * from "./conditional-random-field/conditional-random-field.js";
export {
  type TagConstraints,
  type TagScheme,
  tagConstraints,
} from "./conditional-random-field/tag-constraints.js";
export * from "./containers.js";
export * from "./conv.js";
export { Conv1d, Conv3d, type ConvNdOptions, type PaddingMode } from "./conv-nd.js";
export {
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeCallOptions,
  type ConvTransposeModuleOptions,
} from "./conv-transpose.js";
export * from "./depthwise-separable.js";
export * from "./distances.js";
export { AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout } from "./dropout.js";
export { Embedding, type EmbeddingOptions } from "./embedding.js";
export * from "./embedding-bag.js";
export * from "./explain/index.js";
export * from "./flatten.js";
export * from "./fold.js";
export {
  type ChannelStatistics,
  type ConvNormActivationOptions,
  convNormActivation,
  type FoldableNorm,
  type FoldedActivation,
} from "./folding.js";
export * from "./fractional-max-pooling.js";
export * from "./gated.js";
export * from "./group-norm.js";
export * from "./grouped-query-attention.js";
export * from "./initializers.js";
export * from "./kv-cache.js";
export * from "./linear.js";
export * from "./linear-attention.js";
export type { LinearAttentionState } from "./linear-attention-mix.js";
export * from "./linear-multihead-attention.js";
export * from "./lp-pooling.js";
export * from "./max-pooling.js";
export * from "./mixture-of-experts.js";
export * from "./module.js";
export * from "./named-initializers.js";
export * from "./normalization.js";
export * from "./padding-layers.js";
export * from "./parameter.js";
export type { ParameterGroup, ParameterGroupRule } from "./parameter-groups.js";
export { isParametrized, removeParametrization } from "./parametrization/parametrize.js";
export { type SpectralNormOptions, spectralNorm } from "./parametrization/spectral-norm.js";
export { type WeightNormOptions, weightNorm } from "./parametrization/weight-norm.js";
export {
  AvgPool1d,
  type AvgPool1dOptions,
  AvgPool2d,
  AvgPool3d,
  type AvgPoolNdOptions,
  type PoolNdOptions,
} from "./pooling.js";
export * from "./positional-encoding.js";
export * from "./quantization/index.js";
export * from "./recurrent/cells.js";
export * from "./recurrent/gru.js";
export type { SequenceLengths } from "./recurrent/lengths.js";
export * from "./recurrent/lstm.js";
export {
  type PaddedSequences,
  type PadSequenceOptions,
  padSequence,
  unpadSequence,
} from "./recurrent/pad-sequence.js";
export type { RecurrentCallOptions, RecurrentOptions, RecurrentResult } from "./recurrent/recurrent.js";
export { type RecurrentNonlinearity, RNN, type RNNOptions } from "./recurrent/rnn.js";
export type { LongRopeScaling, RotaryScaling, YarnScaling } from "./rotary-scaling.js";
export * from "./rrelu.js";
export * from "./shrinking-activations.js";
export type { LoadOptions, LoadReport, StateDict, StateEntry } from "./state-dict.js";
export * from "./state-space.js";
export { toDepthwiseSeparable, toLinearAttention } from "./structure/exchanges.js";
export { type AnyNorm, type NormName, type ToNormOptions, toNorm } from "./structure/norm-exchange.js";
export * from "./structure/replace-modules.js";
export type { InputDescription, ModuleSummary, SummaryRow } from "./summary.js";
export * from "./transformer/decoder-layer.js";
export * from "./transformer/encoder-layer.js";
export type { FeedForwardActivation, TransformerLayerOptions } from "./transformer/feed-forward.js";
export * from "./transformer/stacks.js";
export * from "./transformer/transformer.js";
export * from "./vision-parts.js";
