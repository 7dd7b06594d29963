/** Colours that colour-blind readers tell apart (Okabe, Ito 2008). */
export const COLORS = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
  "#000000",
  "#999999",
];
const TICKS = 4;

/** A point of a curve. */
export interface Point {
  readonly x: number;
  readonly y: number;
}

/** An axis. */
export interface Scale {
  /** Where a value stands, 0 to 1. */
  readonly share: (value: number) => number;
  readonly ticks: readonly number[];
}

/** An axis whose ends and ticks are round numbers. */
export function scale(values: readonly number[]): Scale {
  const finite = values.filter(Number.isFinite);
  let [low, high] = finite.length === 0 ? [0, 1] : [Math.min(...finite), Math.max(...finite)];
  if (low === high) [low, high] = [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2];
  const rough = (high - low) / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const [first, last] = [Math.floor(low / step), Math.ceil(high / step)];
  return {
    share: (value) => (value - first * step) / ((last - first) * step),
    ticks: Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step),
  };
}

/** One digit after the point. */
export const round = (value: number): number => Math.round(value * 10) / 10;

/** At most four significant digits, without trailing zeros. */
export function shorten(value: number): string {
  return Math.abs(value) >= 10000 ? value.toLocaleString("en-US") : String(Number(value.toPrecision(4)));
}

/** Text for XML and HTML, in attributes too. */
export function escapeXml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
