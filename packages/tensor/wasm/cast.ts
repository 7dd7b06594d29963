import { addressArgument, forRange, setArgument } from "./threads";

/** Time of an element on one thread, roughly. */
const NANOSECONDS: f32 = 0.5;

function castPart(body: (from: i32, to: i32) => void, x: usize, output: usize, count: i32): void {
  setArgument(0, x);
  setArgument(1, output);
  forRange(body, count, 64, NANOSECONDS);
}

function integersToFloats(from: i32, to: i32): void {
  const x = addressArgument(0),
    output = addressArgument(1);
  let i = from;
  for (; i + 4 <= to; i += 4) {
    const offset = <usize>i << 2;
    v128.store(output + offset, f32x4.convert_i32x4_s(v128.load(x + offset)));
  }
  for (; i < to; i++) store<f32>(output + (<usize>i << 2), <f32>load<i32>(x + (<usize>i << 2)));
}

/** int32 values as floats. */
export function castIntegers(x: usize, output: usize, count: i32): void {
  castPart(integersToFloats, x, output, count);
}

function floatsToIntegers(from: i32, to: i32): void {
  const x = addressArgument(0),
    output = addressArgument(1);
  let i = from;
  for (; i + 4 <= to; i += 4) {
    const offset = <usize>i << 2;
    v128.store(output + offset, i32x4.trunc_sat_f32x4_s(v128.load(x + offset)));
  }
  for (; i < to; i++) store<i32>(output + (<usize>i << 2), <i32>load<f32>(x + (<usize>i << 2)));
}

/** Floats truncated towards zero to int32; NaN gives 0 and what does not fit saturates. */
export function castFloats(x: usize, output: usize, count: i32): void {
  castPart(floatsToIntegers, x, output, count);
}

function booleansToFloats(from: i32, to: i32): void {
  const x = addressArgument(0),
    output = addressArgument(1);
  for (let i = <usize>from; i < <usize>to; i++) store<f32>(output + (i << 2), <f32>load<u8>(x + i));
}

/** Booleans as floats 0 and 1. */
export function castBooleansToFloats(x: usize, output: usize, count: i32): void {
  castPart(booleansToFloats, x, output, count);
}

function booleansToIntegers(from: i32, to: i32): void {
  const x = addressArgument(0),
    output = addressArgument(1);
  for (let i = <usize>from; i < <usize>to; i++) store<i32>(output + (i << 2), load<u8>(x + i));
}

/** Booleans as int32 0 and 1. */
export function castBooleansToIntegers(x: usize, output: usize, count: i32): void {
  castPart(booleansToIntegers, x, output, count);
}

function floatsToBooleans(from: i32, to: i32): void {
  const x = addressArgument(0),
    output = addressArgument(1);
  for (let i = <usize>from; i < <usize>to; i++) store<u8>(output + i, load<f32>(x + (i << 2)) != 0 ? 1 : 0);
}

/** 1 where a float is not 0, NaN included. */
export function castFloatsToBooleans(x: usize, output: usize, count: i32): void {
  castPart(floatsToBooleans, x, output, count);
}

function integersToBooleans(from: i32, to: i32): void {
  const x = addressArgument(0),
    output = addressArgument(1);
  for (let i = <usize>from; i < <usize>to; i++) store<u8>(output + i, load<i32>(x + (i << 2)) != 0 ? 1 : 0);
}

/** 1 where an int32 is not 0. */
export function castIntegersToBooleans(x: usize, output: usize, count: i32): void {
  castPart(integersToBooleans, x, output, count);
}
