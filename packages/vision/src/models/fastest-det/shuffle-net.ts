import { BatchNorm2d, Conv2d, MaxPool2d, Module, ReLU, Sequential } from "@ai/layers";
import { concat, relu, reshape, split, type Tensor, transpose } from "@ai/tensor";

/** A convolution without bias and its batch norm, as two entries of a sequence. */
export function convNorm(
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  { stride = 1, groups = 1 }: { readonly stride?: number; readonly groups?: number } = {},
): [Conv2d, BatchNorm2d] {
  const padding = (kernelSize - 1) / 2;
  return [
    new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, groups, bias: false }),
    new BatchNorm2d(outChannels),
  ];
}

/** Half the channels go through three convolutions, the other half (or a projection, where the block halves the picture) stays. */
class ShuffleBlock extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    main: "branch_main",
    projection: "branch_proj",
  };
  readonly main: Sequential;
  readonly projection: Sequential | undefined;

  /** @param inChannels Channels that `main` reads. */
  constructor(inChannels: number, outChannels: number, stride: 1 | 2) {
    super();
    const width = outChannels / 2;
    this.main = new Sequential(
      ...convNorm(inChannels, width, 1),
      new ReLU(),
      ...convNorm(width, width, 3, { stride, groups: width }),
      ...convNorm(width, outChannels - inChannels, 1),
      new ReLU(),
    );
    this.projection =
      stride === 1
        ? undefined
        : new Sequential(
            ...convNorm(inChannels, inChannels, 3, { stride, groups: inChannels }),
            ...convNorm(inChannels, inChannels, 1),
            new ReLU(),
          );
  }

  /** @param x `[batch, height, width, channels]` @returns `[batch, height / stride, width / stride, outChannels]` */
  protected forward(x: Tensor): Tensor {
    const [kept, moved] = this.projection === undefined ? unshuffle(x) : [this.projection.call(x), x];
    return concat([kept, this.main.call(moved)], { axis: 3 });
  }
}

/** Channels with even and with odd numbers. @returns twice `[batch, height, width, channels / 2]` */
function unshuffle(x: Tensor): Tensor[] {
  const [batch, height, width, channels]: readonly number[] = x.shape;
  const pairs = transpose(reshape(x, [batch, height, width, channels / 2, 2]), [0, 1, 2, 4, 3]); // [batch, height, width, 2, channels / 2]
  return split(reshape(pairs, [batch, height, width, channels]), 2, { axis: 3 });
}

/**
 * ShuffleNet v2 without its last convolution; gives the feature maps of its three stages (strides 8, 16, 32).
 * @see Ma, Zhang, Zheng, Sun (2018), "ShuffleNet V2", https://arxiv.org/abs/1807.11164
 */
export class ShuffleNetBackbone extends Module<[images: Tensor], Tensor[]> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    firstConvolution: "first_conv",
  };
  readonly firstConvolution: Sequential;
  readonly pool = new MaxPool2d(3, { stride: 2, padding: 1 });
  readonly stage2: Sequential;
  readonly stage3: Sequential;
  readonly stage4: Sequential;

  /** @throws InputError for sizes out of range. */
  constructor(
    numChannels: number,
    stemChannels: number,
    { channels, depths }: { readonly channels: readonly number[]; readonly depths: readonly number[] },
  ) {
    super();
    this.firstConvolution = new Sequential(...convNorm(numChannels, stemChannels, 3, { stride: 2 }));
    const stage = (index: number): Sequential => {
      const before = index === 0 ? stemChannels : channels[index - 1];
      const blocks = Array.from({ length: depths[index] }, (_, block) =>
        block === 0
          ? new ShuffleBlock(before, channels[index], 2)
          : new ShuffleBlock(channels[index] / 2, channels[index], 1),
      );
      return new Sequential(...blocks);
    };
    this.stage2 = stage(0);
    this.stage3 = stage(1);
    this.stage4 = stage(2);
  }

  /**
   * @param images `[batch, height, width, numChannels]`
   * @returns `[batch, height / stride, width / stride, channels]` for strides 8, 16 and 32
   */
  protected forward(images: Tensor): Tensor[] {
    const stem = this.pool.call(relu(this.firstConvolution.call(images))); // [batch, height / 4, width / 4, stemChannels]
    const fine = this.stage2.call(stem);
    const middle = this.stage3.call(fine);
    return [fine, middle, this.stage4.call(middle)];
  }
}
