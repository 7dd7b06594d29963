import { inBrowser } from "../byte-source.js";

/** What a file's bytes must give: the SHA-256 of a large file, git's SHA-1 of a small one. */
export interface Checksum {
  readonly algorithm: "sha256" | "git-sha1";
  /** Lower-case hexadecimal. */
  readonly hex: string;
}

/** The checksum that an etag of the hub is; `undefined` when it is none. */
export function checksumOf(etag: string | null | undefined): Checksum | undefined {
  const hex = etag?.replace(/^W\//, "").replace(/^"(.*)"$/, "$1") ?? "";
  if (/^[0-9a-f]{64}$/.test(hex)) return { algorithm: "sha256", hex };
  if (/^[0-9a-f]{40}$/.test(hex)) return { algorithm: "git-sha1", hex };
  return undefined;
}

/** A digest that is fed piece by piece. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Lower-case hexadecimal; ends it. */
  digest(): string;
}

/** A hasher of a file of `size` bytes: git puts kind and size before the content. */
export async function createHasher(algorithm: Checksum["algorithm"], size: number): Promise<Hasher> {
  const hasher = await (inBrowser() ? browserHasher(algorithm) : nodeHasher(algorithm));
  if (algorithm === "git-sha1") hasher.update(new TextEncoder().encode(`blob ${size}\0`));
  return hasher;
}

async function nodeHasher(algorithm: Checksum["algorithm"]): Promise<Hasher> {
  const { createHash } = await import(/* webpackIgnore: true */ "node:crypto");
  const hash = createHash(algorithm === "sha256" ? "sha256" : "sha1");
  return {
    update(bytes) {
      hash.update(bytes);
    },
    digest: () => hash.digest("hex"),
  };
}

/** Browsers' own digest takes a whole file at once. */
async function browserHasher(algorithm: Checksum["algorithm"]): Promise<Hasher> {
  const hash =
    algorithm === "sha256"
      ? (await import("@noble/hashes/sha2.js")).sha256.create()
      : (await import("@noble/hashes/legacy.js")).sha1.create();
  return {
    update(bytes) {
      hash.update(bytes);
    },
    digest: () => [...hash.digest()].map((byte) => byte.toString(16).padStart(2, "0")).join(""),
  };
}
