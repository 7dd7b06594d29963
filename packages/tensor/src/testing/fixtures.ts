import type { Tensor } from "@tensorflow/tfjs-core";
import type { DType } from "../dtype.js";
import { fromValues } from "../tensor.js";
import { parseSafetensors } from "../weights/safetensors.js";
import type { HostTensor } from "./matcher.js";

/** A stored set of expected values, read from a safetensors file. */
export interface Fixture {
  readonly metadata: Record<string, string>;
  /** Names of the stored tensors. */
  readonly names: readonly string[];
  has(name: string): boolean;
  /** Stored values; float64 becomes float32, int64 and uint8 become int32. */
  host(name: string): HostTensor;
  /** The same as a new tensor on the device in use. */
  tensor(name: string): Tensor;
}

async function readBytes(url: URL): Promise<Uint8Array> {
  if (url.protocol === "file:") {
    const { readFile } = await import("node:fs/promises");
    return readFile(url);
  }
  const response = await fetch(url);
  if (!response.ok) throw new Error(`fixture ${url}: HTTP ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/**
 * Loads a fixture that PyTorch made.
 * @example
 * const fixture = await loadFixture(new URL("../fixtures/linear.safetensors", import.meta.url));
 */
export async function loadFixture(url: URL): Promise<Fixture> {
  const { tensors, metadata } = parseSafetensors(await readBytes(url));
  const host = (name: string): HostTensor => {
    const entry = tensors.get(name);
    if (entry === undefined)
      throw new Error(
        `fixture ${url.pathname}: no tensor ${name}; it has ${[...tensors.keys()].slice(0, 20).join(", ")}`,
      );
    const { bytes, shape } = entry;
    const buffer = bytes.slice().buffer;
    switch (entry.dtype) {
      case "F32":
        return { shape, dtype: "float32", values: new Float32Array(buffer) };
      case "F64":
        return { shape, dtype: "float32", values: Float32Array.from(new Float64Array(buffer)) };
      case "I32":
        return { shape, dtype: "int32", values: new Int32Array(buffer) };
      case "I64":
        return { shape, dtype: "int32", values: Int32Array.from(new BigInt64Array(buffer), Number) };
      case "BOOL":
        return { shape, dtype: "bool", values: new Uint8Array(buffer) };
      case "U8":
        return { shape, dtype: "int32", values: Int32Array.from(new Uint8Array(buffer)) };
      default:
        throw new Error(`fixture: dtype ${entry.dtype} of ${name}`);
    }
  };
  return {
    metadata,
    names: [...tensors.keys()],
    has: (name) => tensors.has(name),
    host,
    tensor(name) {
      const { shape, dtype, values } = host(name);
      return fromValues(values as Float32Array, shape, dtype as DType);
    },
  };
}
