/** EXIF's tag of how a camera was held. */
const ORIENTATION_TAG = 0x0112;

/**
 * How a picture must be turned to stand upright, 1 (as it is) to 8, from an EXIF block; 1 where there is none or it is
 * damaged: a wrong note about a picture makes the picture no worse.
 * @param block The TIFF structure, after `Exif\0\0` if that is there.
 * @see CIPA DC-008 (2023), "Exif 3.0", section 4.6.4
 */
export function exifOrientation(block: Uint8Array | undefined): number {
  if (block === undefined) return 1;
  const start = block[0] === 0x45 && block[1] === 0x78 ? 6 : 0;
  const view = new DataView(block.buffer, block.byteOffset + start, Math.max(0, block.byteLength - start));
  if (view.byteLength < 14) return 1;
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return 1;
  const isLittle = order === 0x4949;
  const directory = view.getUint32(4, isLittle);
  if (directory + 2 > view.byteLength) return 1;
  const count = view.getUint16(directory, isLittle);
  for (let entry = 0; entry < count; entry++) {
    const at = directory + 2 + 12 * entry;
    if (at + 12 > view.byteLength) return 1;
    if (view.getUint16(at, isLittle) !== ORIENTATION_TAG) continue;
    const isShort = view.getUint16(at + 2, isLittle) === 3;
    const value = isShort ? view.getUint16(at + 8, isLittle) : view.getUint32(at + 8, isLittle);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}
