import { crc32 } from "../weights/zip/crc32.js";

/** A file for {@link zipOf}. */
export interface ZipFile {
  readonly name: string;
  /** As they stand in the archive. */
  readonly bytes: Uint8Array;
  /** Of stored bytes, for who knows it already. */
  readonly crc?: number;
  /** Of what deflated bytes give; absent for stored bytes. */
  readonly deflated?: { readonly size: number; readonly crc: number };
}

/** A zip archive of files with right checksums. */
export function zipOf(files: readonly ZipFile[]): Uint8Array {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  const add = (list: Uint8Array[], size: number, fill: (view: DataView) => void): void => {
    const bytes = new Uint8Array(size);
    fill(new DataView(bytes.buffer));
    list.push(bytes);
  };
  const encoder = new TextEncoder();
  for (const { name, bytes, crc = crc32(bytes), deflated } of files) {
    const label = encoder.encode(name);
    const describe = (view: DataView, at: number): void => {
      view.setUint16(at, deflated === undefined ? 0 : 8, true);
      view.setUint32(at + 6, deflated?.crc ?? crc, true);
      view.setUint32(at + 10, bytes.length, true);
      view.setUint32(at + 14, deflated?.size ?? bytes.length, true);
      view.setUint16(at + 18, label.length, true);
    };
    add(parts, 30, (view) => {
      view.setUint32(0, 0x04034b50, true);
      describe(view, 8);
    });
    parts.push(label, bytes);
    add(directory, 46, (view) => {
      view.setUint32(0, 0x02014b50, true);
      describe(view, 10);
      view.setUint32(42, offset, true);
    });
    directory.push(label);
    offset += 30 + label.length + bytes.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  add(directory, 22, (view) => {
    view.setUint32(0, 0x06054b50, true);
    view.setUint16(8, files.length, true);
    view.setUint16(10, files.length, true);
    view.setUint32(12, size, true);
    view.setUint32(16, offset, true);
  });
  const all = [...parts, ...directory];
  const archive = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}
