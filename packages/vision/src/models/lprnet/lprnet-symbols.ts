/** The 68 symbols of the published weights (Chinese number plates); the last one is the CTC blank. */
export const LPRNET_SYMBOLS: readonly string[] = [
  ..."京沪津渝冀晋蒙辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新",
  ..."0123456789ABCDEFGHJKLMNPQRSTUVWXYZIO-",
];
