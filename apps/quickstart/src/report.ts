import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { encode } from "fast-png";
import { IMAGE_SIZE } from "./mnist.js";

/** A curve of the report: one value a step. */
export interface Curve {
  readonly label: string;
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/** A test picture that a model read wrongly. */
export interface Mistake {
  /** `[28, 28]` grey levels. */
  readonly pixels: Uint8Array;
  readonly truth: number;
  readonly answer: number;
  /** Probability that the model gave its wrong answer. */
  readonly confidence: number;
}

/** One model's part of the report. */
export interface ModelSection {
  readonly title: string;
  readonly description: string;
  readonly testAccuracy: number;
  readonly seconds: number;
  readonly curves: readonly Curve[];
  /** Rows: truth; columns: answer. */
  readonly confusion: readonly (readonly number[])[];
  readonly mistakes: readonly Mistake[];
}

function picture(pixels: Uint8Array): string {
  const png = encode({ width: IMAGE_SIZE, height: IMAGE_SIZE, data: pixels, depth: 8, channels: 1 });
  return `data:image/png;base64,${Buffer.from(png).toString("base64")}`;
}

function confusionTable(confusion: ModelSection["confusion"]): string {
  const most = Math.max(1, ...confusion.flatMap((row, truth) => row.filter((_, answer) => answer !== truth)));
  const head = confusion.map((_, answer) => `<th>${answer}</th>`).join("");
  const rows = confusion.map((row, truth) => {
    const cells = row.map((count, answer) => {
      const shade = answer === truth ? "rgb(219 234 254)" : `rgb(254 202 202 / ${count / most})`;
      return `<td style="background:${shade}">${count}</td>`;
    });
    return `<tr><th>${truth}</th>${cells.join("")}</tr>`;
  });
  return `<table><caption>Rows: the true digit. Columns: the model's answer.</caption><tr><th></th>${head}</tr>${rows.join("")}</table>`;
}

function section(model: ModelSection, index: number): string {
  const mistakes = model.mistakes.map(
    ({ pixels, truth, answer, confidence }) =>
      `<figure><img src="${picture(pixels)}" alt="a ${truth} read as ${answer}"><figcaption>${truth} read as <b>${answer}</b><br>${(confidence * 100).toFixed(1)} % sure</figcaption></figure>`,
  );
  return `<section>
<h2>${model.title}</h2>
<p>${model.description}</p>
<p class="score"><b>${(model.testAccuracy * 100).toFixed(2)} %</b> of the test pictures right, ${model.seconds.toFixed(0)} s of training</p>
<div id="curves-${index}"></div>
<h3>Which digits are mixed up</h3>${confusionTable(model.confusion)}
<h3>Surest mistakes</h3><div class="mistakes">${mistakes.join("")}</div>
</section>`;
}

/** Text that is safe inside a script element. */
function embed(value: unknown): string {
  return JSON.stringify(value).replaceAll("<", "\\u003c");
}

/** The whole report as one HTML page that needs no network. */
export async function renderReport(models: readonly ModelSection[], device: string): Promise<string> {
  const resolve = createRequire(import.meta.url).resolve;
  const script = await readFile(resolve("uplot/dist/uPlot.iife.min.js"), "utf8");
  const style = await readFile(resolve("uplot/dist/uPlot.min.css"), "utf8");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>Quickstart: reading handwritten digits</title>
<style>${style}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1e293b}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.2rem .55rem;text-align:right}caption{text-align:left;color:#64748b;padding:.3rem 0}
.mistakes{display:flex;flex-wrap:wrap;gap:1rem}.mistakes figure{margin:0;text-align:center;font-size:.85rem}.mistakes img{width:84px;image-rendering:pixelated;border:1px solid #cbd5e1}
.score b{font-size:1.6rem}section{margin-bottom:3rem}</style></head>
<body><h1>Reading handwritten digits</h1><p>Trained on ${device}.</p>
${models.map(section).join("\n")}
<script>${script}</script>
<script>
const models = ${embed(models.map(({ curves }) => curves))};
models.forEach((curves, index) => {
  for (const { label, steps, values } of curves) {
    new uPlot({
      title: label, width: Math.min(900, innerWidth - 40), height: 260, scales: { x: { time: false } },
      axes: [{ label: "training step" }, {}],
      series: [{ label: "step" }, { label, stroke: "#2563eb", width: 1.5 }],
    }, [steps, values], document.getElementById("curves-" + index));
  }
});
</script></body></html>
`;
}
