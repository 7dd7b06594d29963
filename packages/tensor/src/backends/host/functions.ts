/** Quotient rounded down, PyTorch's steps: exact where `a / b` itself would round up to the next integer. */
export function floorDivideFloat(a: number, b: number): number {
  if (b === 0) return a / b;
  const rest = a % b;
  let quotient = (a - rest) / b;
  if (rest !== 0 && b < 0 !== rest < 0) quotient -= 1;
  if (quotient === 0) return (a / b) * 0;
  const floored = Math.floor(quotient);
  return quotient - floored > 0.5 ? floored + 1 : floored;
}

/** Quotient of integers rounded down; 0 for a divisor of 0. */
export function floorDivideInt(a: number, b: number): number {
  return b === 0 ? 0 : Math.floor(a / b);
}

/** Remainder with the divisor's sign, as in Python. */
export function remainderFloat(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && b < 0 !== rest < 0 ? rest + b : rest;
}

/** The same for integers; 0 for a divisor of 0. */
export function remainderInt(a: number, b: number): number {
  return b === 0 ? 0 : remainderFloat(a, b);
}

/** C's `pow`: unlike JavaScript's, 1 to any power and −1 to an infinite one are 1. */
export function powFloat(a: number, b: number): number {
  if (a === 1 || (a === -1 && (b === Number.POSITIVE_INFINITY || b === Number.NEGATIVE_INFINITY))) return 1;
  return a ** b;
}

/** Integer power by squaring, wrapping like int32; a negative power is 0 unless the base is 1 or −1. */
export function powInt(a: number, b: number): number {
  if (b < 0) {
    if (a === 1) return 1;
    return a === -1 ? (b % 2 === 0 ? 1 : -1) : 0;
  }
  let result = 1;
  let base = a;
  for (let power = b; power > 0; power >>>= 1) {
    if (power & 1) result = Math.imul(result, base);
    base = Math.imul(base, base);
  }
  return result;
}

const TWO_OVER_ROOT_PI = 2 / Math.sqrt(Math.PI);

/**
 * Error function, right to the last bit of float32, by the series `2/√π · exp(−x²) · Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1))`,
 * whose terms all have one sign. From |x| = 4 on it rounds to ±1.
 */
export function erfFloat(x: number): number {
  if (Number.isNaN(x)) return x;
  if (Math.abs(x) >= 4) return Math.sign(x);
  const square = x * x;
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > Math.abs(total) * 1e-12; n++) {
    term *= (2 * square) / (2 * n + 1);
    total += term;
  }
  return TWO_OVER_ROOT_PI * Math.exp(-square) * total;
}
