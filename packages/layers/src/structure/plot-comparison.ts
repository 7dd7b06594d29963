import { InputError } from "@ai/tensor";
import { assertOptionNames } from "../training/option-names.js";
import { COLORS, escapeXml, type Point, round, scale, shorten } from "./chart-parts.js";
import type { VariantComparison, VariantResult } from "./compare-variants.js";
import { metricNames, overSeeds } from "./format-comparison.js";

/** Options of {@link plotComparison}. */
export interface PlotComparisonOptions {
  /** Which final value the right half shows. Default: the first metric, the loss where there is none. */
  readonly metric?: string;
  /** Default "Comparison of variants". */
  readonly title?: string;
}

interface Series {
  readonly name: string;
  readonly color: string;
  readonly points: readonly Point[];
}

interface Panel {
  readonly left: number;
  readonly title: string;
  readonly xLabel: string;
  readonly series: readonly Series[];
  readonly kind: "lines" | "dots";
}

const [WIDTH, HEIGHT] = [960, 420];
const PANEL = { width: 380, height: 260, top: 70 } as const;
/** Training losses of single steps jump: a curve has at most so many points, each a mean. */
const MAX_POINTS = 60;

/**
 * Two pictures side by side: the training loss over the steps, and a final value over the seconds of training, a dot a
 * run. Failed runs are left out.
 * @returns an SVG document that needs nothing else; put it into a page or a file.
 * @throws InputError for a metric that no run has.
 */
export function plotComparison(comparison: VariantComparison, options: PlotComparisonOptions = {}): string {
  assertOptionNames("plotComparison", options, ["metric", "title"]);
  const { variants } = comparison;
  const names = metricNames(variants);
  const { metric = names[0] ?? "loss", title = "Comparison of variants" } = options;
  if (options.metric !== undefined && !names.includes(metric))
    throw new InputError(`plotComparison: expected one of ${names.join(", ")}, got metric ${metric}`);
  const color = (index: number): string => COLORS[index % COLORS.length];
  const curves = variants.map((variant, index) => ({
    name: variant.name,
    color: color(index),
    points: lossCurve(variant),
  }));
  const dots = variants.map(({ name, runs }, index) => ({
    name,
    color: color(index),
    points: runs
      .filter(({ error, values }) => error === undefined && Number.isFinite(values[metric]))
      .map(({ trainSeconds, values }) => ({ x: trainSeconds, y: values[metric] })),
  }));
  const legend = variants.map((variant, index) => {
    const over = overSeeds(variant, ({ values }) => values[metric]);
    const value = over === undefined ? "failed" : shorten(over.mean);
    const x = 60 + (index % 4) * 225;
    const y = PANEL.top + PANEL.height + 62 + Math.floor(index / 4) * 20;
    return `<rect x="${x}" y="${y - 9}" width="10" height="10" fill="${color(index)}"/><text x="${x + 16}" y="${y}">${escapeXml(variant.name)}: ${value}</text>`;
  });
  const height = HEIGHT + Math.max(0, Math.ceil(variants.length / 4) - 1) * 20;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${escapeXml(title)}" font-family="system-ui, sans-serif" font-size="12" fill="#1e293b">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="60" y="30" font-size="17" font-weight="600">${escapeXml(title)}</text>`,
    panel({ left: 60, title: "training loss", xLabel: "step", series: curves, kind: "lines" }),
    panel({ left: 540, title: metric, xLabel: "seconds of training", series: dots, kind: "dots" }),
    ...legend,
    "</svg>",
    "",
  ].join("\n");
}

/** Mean over the runs of the steps that all have, in at most {@link MAX_POINTS} pieces. */
function lossCurve({ runs }: VariantResult): Point[] {
  const losses = runs.filter(({ error }) => error === undefined).map((run) => run.losses);
  const steps = losses.length === 0 ? 0 : Math.min(...losses.map(({ length }) => length));
  const size = Math.max(1, Math.ceil(steps / MAX_POINTS));
  const points: Point[] = [];
  for (let start = 0; start < steps; start += size) {
    const end = Math.min(steps, start + size);
    const parts = losses.flatMap((run) => run.slice(start, end));
    points.push({
      x: (start + 1 + end) / 2,
      y: parts.reduce((total, loss) => total + loss, 0) / parts.length,
    });
  }
  return points;
}

function panel({ left, title, xLabel, series, kind }: Panel): string {
  const points = series.flatMap((one) => one.points);
  const [x, y] = [scale(points.map((point) => point.x)), scale(points.map((point) => point.y))];
  const { width, height, top } = PANEL;
  const [right, bottom] = [left + width, top + height];
  const place = (point: Point): readonly [number, number] => [
    left + round(width * x.share(point.x)),
    bottom - round(height * y.share(point.y)),
  ];
  const parts = [`<text x="${left}" y="${top - 12}" font-weight="600">${escapeXml(title)}</text>`];
  for (const tick of y.ticks) {
    const [, level] = place({ x: 0, y: tick });
    parts.push(`<line x1="${left}" x2="${right}" y1="${level}" y2="${level}" stroke="#e2e8f0"/>`);
    parts.push(`<text x="${left - 6}" y="${level + 4}" text-anchor="end">${shorten(tick)}</text>`);
  }
  for (const tick of x.ticks) {
    const [column] = place({ x: tick, y: 0 });
    parts.push(`<text x="${column}" y="${bottom + 17}" text-anchor="middle">${shorten(tick)}</text>`);
  }
  parts.push(`<line x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}" stroke="#64748b"/>`);
  parts.push(
    `<text x="${left + width / 2}" y="${bottom + 36}" text-anchor="middle" fill="#64748b">${xLabel}</text>`,
  );
  for (const { name, color, points: own } of series) {
    const places = own.map(place);
    if (kind === "lines" && places.length > 1)
      parts.push(
        `<polyline points="${places.map((pair) => pair.join(",")).join(" ")}" fill="none" stroke="${color}" stroke-width="1.8"><title>${escapeXml(name)}</title></polyline>`,
      );
    else
      for (const [column, level] of places)
        parts.push(
          `<circle cx="${column}" cy="${level}" r="5" fill="${color}" fill-opacity="0.8"><title>${escapeXml(name)}</title></circle>`,
        );
  }
  return parts.join("\n");
}
