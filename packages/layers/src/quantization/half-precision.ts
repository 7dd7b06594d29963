import { encodeValues, type SafetensorsInput, WeightsError } from "@ai/tensor";
import type { StateDict } from "../state-dict.js";

/** Two bytes a number: `F16` has 11 digits and ends at 65504, `BF16` has 8 digits and float32's range. */
export type HalfPrecision = "F16" | "BF16";

/** From here on a float32 rounds to infinity in F16. */
const FLOAT16_END = 65520;

/**
 * Weights to be stored in half the bytes; what loads them gets float32 back. Counters and whole numbers stay as they are.
 * @param state As `stateDict()` gives it.
 * @param dtype Default `"F16"`.
 * @returns what `saveSafetensors` and `writeSafetensors` take.
 * @throws WeightsError for a finite number that F16 has no place for; names it.
 * @example
 * const bytes = await writeSafetensors(halfPrecision(await model.stateDict())); // model.load(bytes) gives float32
 */
export function halfPrecision(state: StateDict, dtype: HalfPrecision = "F16"): Map<string, SafetensorsInput> {
  return new Map(
    [...state].map(([name, entry]): [string, SafetensorsInput] => {
      if (entry.dtype !== "float32") return [name, entry];
      const { shape, values } = entry;
      const large =
        dtype === "F16" ? values.find((x) => Number.isFinite(x) && Math.abs(x) >= FLOAT16_END) : undefined;
      if (large !== undefined)
        throw new WeightsError(
          `halfPrecision: expected numbers below 65520 for F16, got ${large} in ${name}; take BF16`,
        );
      return [name, { dtype, shape, bytes: encodeValues(entry, dtype) }];
    }),
  );
}
