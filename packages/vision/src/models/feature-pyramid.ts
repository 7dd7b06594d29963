import { Conv2d, Module, Sequential } from "@ai/layers";
import { add, InputError, interpolate, type Tensor } from "@ai/tensor";

/**
 * Gives feature maps of several sizes one number of channels and lets coarse ones inform fine ones: 1×1 convolutions, each
 * sum with the coarser map enlarged, 3×3 convolutions. Names are torchvision's.
 * @see Lin et al. (2016), "Feature pyramid networks for object detection", https://arxiv.org/abs/1612.03144
 * @example
 * const pyramid = new FeaturePyramidNetwork([128, 256, 512], 64);
 * const maps = pyramid.call(backbone.call(images).slice(1)); // three of 64 channels
 */
export class FeaturePyramidNetwork extends Module<[maps: readonly Tensor[]], Tensor[]> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    inner: "inner_blocks",
    outer: "layer_blocks",
  };
  readonly inner: readonly Sequential[];
  readonly outer: readonly Sequential[];

  /** @param inChannels Channels of the maps from fine to coarse. @throws InputError for channels that are not positive integers. */
  constructor(inChannels: readonly number[], outChannels: number) {
    super();
    this.inner = inChannels.map((channels) => new Sequential(new Conv2d(channels, outChannels, 1)));
    this.outer = inChannels.map(
      () => new Sequential(new Conv2d(outChannels, outChannels, 3, { padding: 1 })),
    );
  }

  /**
   * @param maps `[batch, height, width, channels]`, from fine to coarse
   * @returns the same sizes, each with `outChannels`
   * @throws InputError for another number of maps.
   */
  protected forward(maps: readonly Tensor[]): Tensor[] {
    if (maps.length !== this.inner.length)
      throw new InputError(`expected ${this.inner.length} feature maps, got ${maps.length}`);
    let coarser: Tensor | undefined;
    return maps
      .map((map, level): [Tensor, number] => [map, level])
      .reverse()
      .map(([map, level]) => {
        const reduced = this.inner[level].call(map); // [batch, height, width, outChannels]
        const [, height, width]: readonly number[] = reduced.shape;
        const merged: Tensor =
          coarser === undefined
            ? reduced
            : add(reduced, interpolate(coarser, { size: [height, width], mode: "nearest" }));
        coarser = merged;
        return this.outer[level].call(merged);
      })
      .reverse();
  }
}
