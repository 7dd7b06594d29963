/** Reversed polynomial of CRC-32C (Castagnoli). */
const POLYNOMIAL = 0x82f63b78;

let table: Uint32Array | undefined;

function makeTable(): Uint32Array {
  const made = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    made[byte] = value >>> 0;
  }
  return made;
}

/** CRC-32C of some bytes, as TFRecord files use it. @see RFC 3720, appendix B.4, for test values */
export function crc32c(bytes: Uint8Array): number {
  table ??= makeTable();
  let value = 0xffffffff;
  for (let index = 0; index < bytes.length; index++)
    value = table[(value ^ bytes[index]) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}
