import type { DeviceName, DeviceOptions } from "@ai/tensor";

/** Width and height of a digit. */
export const SIZE = 28;
export const PIXELS = SIZE * SIZE;

/** What the page tells the worker that trains. */
export interface DigitOptions {
  readonly device?: DeviceName;
  readonly deviceOptions?: DeviceOptions;
  /** Address of the folder of digits. */
  readonly folder: string;
  readonly images: number;
  readonly testImages: number;
  readonly learningRate: number;
  readonly batchSize: number;
}

/** A digit that is not learnt from. */
export interface TestDigit {
  /** `28 · 28` grey levels, 255 is ink. */
  readonly levels: Uint8Array;
  readonly label: number;
}

/** What the worker answers beside training. */
export type DigitMethods = {
  /** `[count · 784]` grey levels → `[count · 10]` how likely each digit is. */
  readonly read: (levels: Uint8Array) => number[];
  readonly examples: (count: number) => TestDigit[];
};
