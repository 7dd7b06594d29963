/** Sizes of a {@link FastestDet}; the defaults are those of its COCO weights. */
export interface FastestDetConfig {
  /** Channels of the pictures. Default 3. */
  readonly numChannels?: number;
  /** Channels after the first convolution. Default 24. */
  readonly stemChannels?: number;
  /** Channels of the three stages. Default 48, 96, 192. */
  readonly stageChannels?: readonly [number, number, number];
  /** Blocks of the three stages. Default 4, 8, 4. */
  readonly stageDepths?: readonly [number, number, number];
  /** Channels of the head. Default 96. */
  readonly headChannels?: number;
  readonly numClasses: number;
}
