/** A tar archive of files by path, as `tar` writes it; paths above 100 characters get a PAX header. */
export function tarOf(files: Readonly<Record<string, Uint8Array | string>>): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  const add = (path: string, bytes: Uint8Array, kind: string): void => {
    const header = new Uint8Array(512);
    const put = (text: string, at: number): void => header.set(encoder.encode(text), at);
    header.set(encoder.encode(path).subarray(0, 100));
    put("0000644\0", 100);
    put(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
    put("        ", 148);
    put(kind, 156);
    put("ustar\x0000", 257);
    put(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
    );
    const body = new Uint8Array(Math.ceil(bytes.length / 512) * 512);
    body.set(bytes);
    parts.push(header, body);
  };
  for (const [path, content] of Object.entries(files)) {
    if (encoder.encode(path).length > 100) {
      const record = ` path=${path}\n`;
      const bytes = encoder.encode(record).length;
      const length = bytes + String(bytes + 3).length;
      add("PaxHeaders", encoder.encode(`${length}${record}`), "x");
    }
    add(
      path,
      typeof content === "string" ? encoder.encode(content) : content,
      path.endsWith("/") ? "5" : "0",
    );
  }
  parts.push(new Uint8Array(1024));
  const archive = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    archive.set(part, at);
    at += part.length;
  }
  return archive;
}
