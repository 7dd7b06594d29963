/** One row for each of 8 bytes that are taken together (slicing by 8); made at first use. */
let tables: Int32Array | undefined;

function makeTables(): Int32Array {
  const made = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++) rest = (rest >>> 1) ^ (rest & 1 ? 0xedb88320 : 0);
    made[byte] = rest;
  }
  for (let index = 256; index < made.length; index++) {
    const before = made[index - 256];
    made[index] = (before >>> 8) ^ made[before & 255];
  }
  return made;
}

/**
 * CRC-32 as zip has it.
 * @param crc Of the bytes before, 0 at the start.
 */
export function crc32(bytes: Uint8Array, crc = 0): number {
  tables ??= makeTables();
  const table = tables;
  let rest = ~crc;
  let at = 0;
  for (const end = bytes.length - 7; at < end; at += 8) {
    rest ^= bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    rest =
      table[1792 + (rest & 255)] ^
      table[1536 + ((rest >>> 8) & 255)] ^
      table[1280 + ((rest >>> 16) & 255)] ^
      table[1024 + (rest >>> 24)] ^
      table[768 + bytes[at + 4]] ^
      table[512 + bytes[at + 5]] ^
      table[256 + bytes[at + 6]] ^
      table[bytes[at + 7]];
  }
  for (; at < bytes.length; at++) rest = (rest >>> 8) ^ table[(rest ^ bytes[at]) & 255];
  return ~rest >>> 0;
}
