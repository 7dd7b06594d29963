/** Sizes of an {@link LPRNet}. */
export interface LPRNetConfig {
  /** Symbols, the CTC blank among them. */
  readonly numClasses: number;
  /** Share of features that is dropped in training. Default 0.5. */
  readonly dropout?: number;
  /** Channels of the blocks are `widthFactor` times the published 64, 128, 256; both 4 and they divide. Default 1. */
  readonly widthFactor?: number;
}

/** The 68 symbols of the published weights (Chinese number plates); the last one is the CTC blank. */
export const LPRNET_SYMBOLS: readonly string[] = [
  ..."京沪津渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新",
  ..."0123456789ABCDEFGHJKLMNPQRSTUVWXYZIO-",
];
