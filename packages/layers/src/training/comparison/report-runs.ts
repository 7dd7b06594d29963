import { COLORS, escapeXml, type Point, round, scale, shorten } from "../../structure/chart-parts.js";
import { assertOptionNames } from "../option-names.js";
import type { ComparedRun, RunComparison } from "./compare-runs.js";
import { htmlTables, shown } from "./format-runs.js";

const [WIDTH, HEIGHT] = [520, 300];
const PLOT = { left: 64, top: 16, width: WIDTH - 80, height: HEIGHT - 64 } as const;
const VALIDATION = "validation.";

/** Options of {@link reportRuns}. */
export interface ReportRunsOptions {
  /** Default "Comparison of runs". */
  readonly title?: string;
}

interface Curve {
  readonly name: string;
  readonly color: string;
  readonly dashed: boolean;
  readonly points: readonly Point[];
}

const STYLE = `:root{color-scheme:light dark;--ink:#1e293b;--paper:#fff;--line:#e2e8f0;--soft:#64748b;--best:#dcfce7}
@media(prefers-color-scheme:dark){:root{--ink:#e2e8f0;--paper:#0f172a;--line:#334155;--soft:#94a3b8;--best:#14532d}}
body{font:14px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:var(--ink);background:var(--paper)}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th:first-child{text-align:left}td.best{background:var(--best)}
.mark{display:inline-block;width:.7em;height:.7em;margin-right:.5em;border-radius:2px}
.charts{display:flex;flex-wrap:wrap;gap:1.5rem}figure{margin:0}figcaption{font-weight:600}
svg{max-width:100%;height:auto}svg text{fill:var(--soft);font-size:12px}svg .grid{stroke:var(--line)}`;

/**
 * A comparison as a page: the tables of `formatRuns`, and a chart of the training loss over the steps and of each value over
 * the epochs (validation as a line, training dashed). It needs no script and no other file.
 * @returns an HTML document.
 * @throws InputError for options that do not exist.
 */
export function reportRuns(comparison: RunComparison, options: ReportRunsOptions = {}): string {
  assertOptionNames("reportRuns", options, ["title"]);
  const { title = "Comparison of runs" } = options;
  const { runs, values } = comparison;
  const color = (index: number): string => COLORS[index % COLORS.length];
  const bases = [...new Set(values.map(({ name }) => name.replace(VALIDATION, "")))];
  const charts = [
    chart(
      "training loss",
      "step",
      runs.map((run, index) => ({
        name: run.name,
        color: color(index),
        dashed: false,
        points: run.curve.map(({ step, loss }) => ({ x: step, y: loss })),
      })),
    ),
    ...bases.map((base) =>
      chart(
        base,
        "epoch",
        runs.flatMap((run, index) => [
          curveOver(run, base, color(index), true),
          curveOver(run, VALIDATION + base, color(index), false),
        ]),
      ),
    ),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeXml(title)}</title><style>${STYLE}</style></head>
<body><h1>${escapeXml(title)}</h1>
<div class="scroll">${htmlTables(comparison, color)}</div>
<h2>Curves</h2>
<p>Lines are validation, dashes training.</p>
<div class="charts">${charts.join("\n")}</div>
</body></html>
`;
}

function curveOver({ name, epochs }: ComparedRun, value: string, color: string, dashed: boolean): Curve {
  const points = epochs.flatMap(({ epoch, values }) =>
    value in values ? [{ x: epoch, y: values[value] }] : [],
  );
  return { name: `${name}, ${value}`, color, dashed, points };
}

/** One chart; none without points. */
function chart(title: string, xLabel: string, curves: readonly Curve[]): string {
  const finite = curves.map((curve) => ({
    ...curve,
    points: curve.points.filter(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)),
  }));
  const points = finite.flatMap((curve) => curve.points);
  if (points.length === 0) return "";
  const { left, top, width, height } = PLOT;
  const [right, bottom] = [left + width, top + height];
  const [x, y] = [scale(points.map((point) => point.x)), scale(points.map((point) => point.y))];
  const across = (value: number): number => round(left + width * x.share(value));
  const up = (value: number): number => round(bottom - height * y.share(value));
  const parts = y.ticks.flatMap((tick) => [
    `<line class="grid" x1="${left}" x2="${right}" y1="${up(tick)}" y2="${up(tick)}"/>`,
    `<text x="${left - 8}" y="${up(tick) + 4}" text-anchor="end">${shorten(tick)}</text>`,
  ]);
  for (const tick of x.ticks)
    parts.push(`<text x="${across(tick)}" y="${bottom + 18}" text-anchor="middle">${shorten(tick)}</text>`);
  parts.push(`<text x="${left + width / 2}" y="${bottom + 38}" text-anchor="middle">${xLabel}</text>`);
  for (const { name, color, dashed, points: own } of finite) {
    const label = `<title>${escapeXml(name)}: ${shown(own.at(-1)?.y ?? Number.NaN)}</title>`;
    if (own.length === 1)
      parts.push(
        `<circle cx="${across(own[0].x)}" cy="${up(own[0].y)}" r="4" fill="${color}">${label}</circle>`,
      );
    if (own.length < 2) continue;
    const path = own.map((point) => `${across(point.x)},${up(point.y)}`).join(" ");
    const dashes = dashed ? ' stroke-dasharray="5 4"' : "";
    parts.push(
      `<polyline points="${path}" fill="none" stroke="${color}" stroke-width="1.8"${dashes}>${label}</polyline>`,
    );
  }
  return `<figure><figcaption>${escapeXml(title)}</figcaption><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}" role="img" aria-label="${escapeXml(title)}">${parts.join("")}</svg></figure>`;
}
