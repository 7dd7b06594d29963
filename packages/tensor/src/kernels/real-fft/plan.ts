/** Factors of a length and the tables that its transform needs; angles are computed in double precision. */
export interface FftPlan {
  /** Complex length of the transform. */
  readonly size: number;
  /** Complex length of the passes: `size`, or that of Bluestein's convolution. */
  readonly passSize: number;
  /** Radix of each pass: 4, 2, 3 or 5. */
  readonly radices: readonly number[];
  /** For each pass, part and place after the first: `e^(−2πi · part · place / length of the pass)`, as pairs. */
  readonly twiddles: Float64Array;
  /** `e^(−πik²/size)` and the convolution's spectrum over `passSize`, as pairs, for lengths with other factors. */
  readonly chirp: Float64Array | undefined;
  readonly chirpSpectrum: Float64Array | undefined;
}

/** Radices whose product is `size`, or undefined when it has other factors. */
function radicesOf(size: number): number[] | undefined {
  const radices: number[] = [];
  let rest = size;
  for (const radix of [5, 3, 4, 2])
    while (rest % radix === 0) {
      radices.push(radix);
      rest /= radix;
    }
  return rest === 1 ? radices : undefined;
}

/** The smallest length from `least` on that has factors 2, 3 and 5 only. */
function smoothLength(least: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (let five = 1; five < best; five *= 5)
    for (let three = five; three < best; three *= 3) {
      let length = three;
      while (length < least) length *= 2;
      best = Math.min(best, length);
    }
  return best;
}

function twiddlesOf(size: number, radices: readonly number[]): Float64Array {
  const values: number[] = [];
  let length = size;
  for (const radix of radices) {
    const parts = length / radix;
    for (let part = 0; part < parts; part++)
      for (let place = 1; place < radix; place++) {
        const angle = (-2 * Math.PI * part * place) / length;
        values.push(Math.cos(angle), Math.sin(angle));
      }
    length = parts;
  }
  return Float64Array.from(values);
}

/** A plan for a complex transform of `size` numbers. */
export function planFft(size: number): FftPlan {
  const radices = radicesOf(size);
  if (radices !== undefined)
    return {
      size,
      passSize: size,
      radices,
      twiddles: twiddlesOf(size, radices),
      chirp: undefined,
      chirpSpectrum: undefined,
    };
  const passSize = smoothLength(2 * size - 1);
  const inner = planFft(passSize);
  const chirp = new Float64Array(2 * size);
  let kernel: Float64Array = new Float64Array(2 * passSize);
  for (let k = 0; k < size; k++) {
    // k² modulo 2 · size, so that the angle keeps its digits
    const angle = (Math.PI * Number((BigInt(k) * BigInt(k)) % BigInt(2 * size))) / size;
    const [re, im] = [Math.cos(angle), Math.sin(angle)];
    chirp.set([re, -im], 2 * k);
    kernel.set([re / passSize, im / passSize], 2 * k);
    if (k > 0) kernel.set([re / passSize, im / passSize], 2 * (passSize - k));
  }
  kernel = transform(kernel, inner);
  return { ...inner, size, chirp, chirpSpectrum: kernel };
}

/** `Σ x e^(−2πijk/size)` in double precision. @param x `size` pairs, overwritten @returns `size` pairs or more */
export function transform(x: Float64Array, plan: FftPlan): Float64Array {
  const { size, passSize, chirp, chirpSpectrum } = plan;
  if (chirp === undefined || chirpSpectrum === undefined) return runPasses(x, plan);
  const padded = new Float64Array(2 * passSize);
  padded.set(x.subarray(0, 2 * size));
  multiply(padded, chirp, size);
  const spectrum = runPasses(padded, plan);
  multiply(spectrum, chirpSpectrum, passSize);
  const result = conjugate(runPasses(conjugate(spectrum), plan));
  multiply(result, chirp, size);
  return result;
}

/** Turns the signs of the imaginary parts, in place. */
export function conjugate(x: Float64Array): Float64Array {
  for (let i = 1; i < x.length; i += 2) x[i] = -x[i];
  return x;
}

function multiply(x: Float64Array, factors: Float64Array, count: number): void {
  for (let i = 0; i < 2 * count; i += 2) {
    const [re, im] = [x[i], x[i + 1]];
    x[i] = re * factors[i] - im * factors[i + 1];
    x[i + 1] = re * factors[i + 1] + im * factors[i];
  }
}

/** Stockham's passes; every radix by its definition. */
function runPasses(input: Float64Array, { passSize, radices, twiddles }: FftPlan): Float64Array {
  let x = input;
  let y: Float64Array = new Float64Array(2 * passSize);
  let [size, stride, twiddle] = [passSize, 1, 0];
  for (const radix of radices) {
    const parts = size / radix;
    const roots = Array.from({ length: radix }, (_, k) => {
      const angle = (-2 * Math.PI * k) / radix;
      return [Math.cos(angle), Math.sin(angle)];
    });
    for (let part = 0; part < parts; part++)
      for (let q = 0; q < stride; q++)
        for (let k = 0; k < radix; k++) {
          let [re, im] = [0, 0];
          for (let j = 0; j < radix; j++) {
            const at = 2 * (q + stride * (part + parts * j));
            const [wr, wi] = roots[(j * k) % radix];
            re += x[at] * wr - x[at + 1] * wi;
            im += x[at] * wi + x[at + 1] * wr;
          }
          const w = twiddle + 2 * (part * (radix - 1) + k - 1);
          const [wr, wi] = k === 0 ? [1, 0] : [twiddles[w], twiddles[w + 1]];
          const to = 2 * (q + stride * (radix * part + k));
          y[to] = re * wr - im * wi;
          y[to + 1] = re * wi + im * wr;
        }
    twiddle += 2 * parts * (radix - 1);
    size = parts;
    stride *= radix;
    [x, y] = [y, x];
  }
  return x;
}

/** Keeps what was made for the last few lengths. */
export function remember<Value>(make: (length: number) => Value, most = 8): (length: number) => Value {
  const known = new Map<number, Value>();
  return (length) => {
    const value = known.get(length) ?? make(length);
    known.delete(length);
    known.set(length, value);
    if (known.size > most) known.delete(known.keys().next().value as number);
    return value;
  };
}
