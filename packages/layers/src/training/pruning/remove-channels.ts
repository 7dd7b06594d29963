import { InputError, type Shape } from "@ai/tensor";
import {
  ELU,
  GELU,
  Hardswish,
  Hardtanh,
  LeakyReLU,
  Mish,
  ReLU,
  ReLU6,
  SELU,
  SiLU,
  Tanh,
} from "../../activations.js";
import { AdaptiveAvgPool2d } from "../../adaptive-pooling.js";
import { Sequential, type TensorModule } from "../../containers.js";
import { Conv2d } from "../../conv.js";
import { Dropout } from "../../dropout.js";
import { Flatten } from "../../flatten.js";
import { Linear } from "../../linear.js";
import { MaxPool2d } from "../../max-pooling.js";
import { BatchNorm1d, BatchNorm2d } from "../../normalization.js";
import { AvgPool2d } from "../../pooling.js";
import type { StateDict, StateEntry } from "../../state-dict.js";

/** Layers that give 0 for a channel of zeros and know nothing of how many there are. */
const TRANSPARENT = [
  ReLU,
  ReLU6,
  GELU,
  SiLU,
  Mish,
  Hardswish,
  Hardtanh,
  Tanh,
  SELU,
  LeakyReLU,
  ELU,
  Dropout,
  MaxPool2d,
  AvgPool2d,
  AdaptiveAvgPool2d,
  Flatten,
] as const;

/** Layers that only images go into. */
const OF_IMAGES = [Conv2d, BatchNorm2d, MaxPool2d, AvgPool2d, AdaptiveAvgPool2d] as const;

const isProducer = (layer: unknown): layer is Linear | Conv2d =>
  layer instanceof Linear || (layer instanceof Conv2d && layer.groups === 1);

/** Rows of an entry along an axis. */
function take({ shape, values, dtype }: StateEntry, axis: number, kept: readonly number[]): StateEntry {
  const inner = shape.slice(axis + 1).reduce((product, length) => product * length, 1);
  const outer = shape.slice(0, axis).reduce((product, length) => product * length, 1);
  const result = new Float32Array(outer * kept.length * inner);
  let next = 0;
  for (let block = 0; block < outer; block++)
    for (const index of kept) {
      const start = (block * shape[axis] + index) * inner;
      result.set((values as Float32Array).subarray(start, start + inner), next);
      next += inner;
    }
  const size: Shape = shape.map((length, position) => (position === axis ? kept.length : length));
  return { dtype, shape: size, values: result } as StateEntry;
}

/** Outputs that have a number other than 0 in a weight `[outputs, ...]` or a bias. */
function liveOutputs(weight: StateEntry, bias: StateEntry | undefined): number[] {
  const [outputs] = weight.shape;
  const inner = weight.values.length / outputs;
  const isLive = (output: number): boolean =>
    (bias !== undefined && bias.values[output] !== 0) ||
    (weight.values as Float32Array)
      .subarray(output * inner, (output + 1) * inner)
      .some((value) => value !== 0);
  const live = Array.from({ length: outputs }, (_, output) => output).filter(isLive);
  // a layer needs an output
  return live.length > 0 ? live : [0];
}

/**
 * A smaller model without the outputs that {@link pruneChannels} set to 0: same results, fewer numbers and multiply-adds.
 * The given one stays as it is.
 * @param model Linear and Conv2d layers (one group) in a Sequential with batch norms, pooling, Flatten, dropout and
 * activations that keep 0 between them. The last layer keeps all its outputs.
 * @returns a new model without masks; layers without weights are shared with the given one.
 * @throws InputError for a layer that it cannot follow.
 * @example
 * const small = await removePrunedChannels(model);
 */
export async function removePrunedChannels(model: Sequential): Promise<Sequential> {
  if (!(model instanceof Sequential))
    throw new InputError("removePrunedChannels: expected a Sequential, got another module; prune its parts");
  const states = await Promise.all(model.layers.map((layer) => layer.stateDict()));
  const last = model.layers.findLastIndex(isProducer);
  let kept: readonly number[] | undefined;
  let channels = 0;
  let isImage = false;
  const layers = model.layers.map((layer, index): TensorModule => {
    if (OF_IMAGES.some((Kind) => layer instanceof Kind)) isImage = true;
    if (layer instanceof Flatten) {
      // images come out with the channels first, sequences do not: only shapes tell which they are
      if (kept !== undefined && !isImage && followedByOther(model, index, channels))
        throw new InputError(
          `removePrunedChannels: expected a Flatten of images, got one at ${index} behind linear layers alone; prune the part behind it`,
        );
      isImage = false;
    }
    if (isProducer(layer)) {
      if (layer.weight.derived)
        throw new InputError(
          `removePrunedChannels: expected weights that are stored in float32, got a quantized or parametrized one at ${index}; do that afterwards`,
        );
      const entries = new Map([...states[index]].filter(([name]) => !name.endsWith("_mask")));
      const weight = entries.get("weight")!;
      const inputs =
        kept && spread(kept, channels, layer instanceof Linear ? layer.inFeatures : layer.inChannels);
      const outputs =
        index === last ? [...Array(weight.shape[0]).keys()] : liveOutputs(weight, entries.get("bias"));
      channels = weight.shape[0];
      kept = outputs;
      return smallerProducer(layer, entries, inputs, outputs);
    }
    if (layer instanceof BatchNorm1d || layer instanceof BatchNorm2d)
      return kept === undefined ? layer : smallerNorm(layer, states[index], { index, kept });
    const keepsZero = !(layer instanceof Hardtanh) || (layer.min <= 0 && layer.max >= 0);
    if (!keepsZero || !TRANSPARENT.some((Kind) => layer instanceof Kind))
      throw new InputError(
        `removePrunedChannels: expected layers that keep channels of zeros, got ${layer.constructor.name} at ${index}; prune the part before it alone`,
      );
    return layer;
  });
  return new Sequential(...layers).train(model.training);
}

/** Whether the next layer with weights takes another number of inputs than there are channels. */
function followedByOther(model: Sequential, index: number, channels: number): boolean {
  const next = model.layers.slice(index).find(isProducer);
  return next instanceof Linear && next.inFeatures !== channels;
}

/** Inputs that are left: after Flatten each channel is as many as there are cells, one after the other. */
function spread(kept: readonly number[], channels: number, inputs: number): number[] {
  const cells = inputs / channels;
  return kept.flatMap((channel) => Array.from({ length: cells }, (_, cell) => channel * cells + cell));
}

function smallerProducer(
  layer: Linear | Conv2d,
  entries: StateDict,
  inputs: readonly number[] | undefined,
  outputs: readonly number[],
): TensorModule {
  const weight = take(entries.get("weight")!, 0, outputs);
  const narrow = inputs === undefined ? weight : take(weight, 1, inputs);
  const bias = entries.get("bias");
  const [outSize, inSize] = narrow.shape;
  const options = { bias: bias !== undefined };
  let made: Linear | Conv2d;
  if (layer instanceof Linear) made = new Linear(inSize, outSize, options);
  else {
    const { kernelSize, stride, dilation, paddingMode, padding } = layer;
    if (padding.some(([before, after]) => before !== after))
      throw new InputError(
        'removePrunedChannels: expected the same padding on both sides, got padding "same" of an even kernel; give the padding in numbers',
      );
    made = new Conv2d(inSize, outSize, kernelSize, {
      ...options,
      stride,
      dilation,
      paddingMode,
      padding: padding.map(([before]) => before),
    });
  }
  made.loadStateDict(
    new Map<string, StateEntry>([
      ["weight", narrow],
      ...(bias === undefined ? [] : [["bias", take(bias, 0, outputs)] as const]),
    ]),
  );
  return made;
}

function smallerNorm(
  layer: BatchNorm1d | BatchNorm2d,
  state: StateDict,
  { index, kept }: { readonly index: number; readonly kept: readonly number[] },
): TensorModule {
  const { numFeatures, epsilon, momentum } = layer;
  const affine = layer.weight !== undefined;
  const gone = [...Array(numFeatures).keys()].filter((channel) => !kept.includes(channel));
  const affinity = [state.get("weight"), state.get("bias")];
  const isGone = (channel: number): boolean => affinity.every((entry) => entry?.values[channel] === 0);
  if (!gone.every(isGone))
    throw new InputError(
      `removePrunedChannels: expected a batch norm that gives 0 for pruned channels, got another at ${index}; prune with pruneChannels, which sets them`,
    );
  const Kind = layer instanceof BatchNorm1d ? BatchNorm1d : BatchNorm2d;
  const made = new Kind(kept.length, {
    epsilon,
    momentum,
    affine,
    trackRunningStats: layer.runningMean !== undefined,
  });
  const smaller = new Map<string, StateEntry>();
  for (const [name, entry] of state)
    if (!name.endsWith("_mask")) smaller.set(name, entry.shape.length === 0 ? entry : take(entry, 0, kept));
  made.loadStateDict(smaller);
  return made;
}
