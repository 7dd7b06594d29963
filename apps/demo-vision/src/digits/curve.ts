import uPlot from "uplot";
import { byId, percent } from "../page.js";
import { themeColor } from "../theme.js";

/** The loss of each step and the share of right digits after each epoch, drawn as they come. */
export class Curve {
  readonly #place = byId("curve");
  readonly #plot: uPlot;
  #steps: number[] = [];
  #losses: number[] = [];
  #right: (number | null)[] = [];
  #isDrawing = false;

  constructor() {
    const axis = (more: uPlot.Axis): uPlot.Axis => ({
      stroke: () => themeColor("quiet"),
      grid: { stroke: () => themeColor("line"), width: 1 },
      ticks: { stroke: () => themeColor("line"), width: 1 },
      font: "12px system-ui, sans-serif",
      ...more,
    });
    this.#plot = new uPlot(
      {
        ...this.#size(),
        cursor: { show: false },
        legend: { show: false },
        padding: [14, 10, 0, 0],
        scales: { x: { time: false }, loss: { range: [0, null] }, right: { range: [0, 1] } },
        axes: [
          axis({ values: (_, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? String(tick) : "")) }),
          axis({ scale: "loss", size: 44 }),
          axis({
            scale: "right",
            side: 1,
            size: 48,
            grid: { show: false },
            values: (_, ticks) => ticks.map((tick) => `${Math.round(tick * 100)} %`),
          }),
        ],
        series: [
          {},
          { scale: "loss", stroke: () => themeColor("second"), width: 2, points: { show: false } },
          {
            scale: "right",
            stroke: () => themeColor("accent"),
            width: 2.5,
            spanGaps: true,
            points: { show: true, size: 8, fill: () => themeColor("accent") },
          },
        ],
      },
      [[0], [null], [null]],
      this.#place,
    );
    new ResizeObserver(() => this.#plot.setSize(this.#size())).observe(this.#place);
    addEventListener("themechange", () => this.#plot.redraw());
  }

  /** Begins anew with what was known before. */
  start(losses: readonly number[], right: ReadonlyMap<number, number>): void {
    this.#steps = [...losses.keys()].map((index) => index + 1);
    this.#losses = [...losses];
    this.#right = this.#steps.map((step) => right.get(step) ?? null);
    this.#draw();
  }

  addStep(step: number, loss: number): void {
    this.#steps.push(step);
    this.#losses.push(loss);
    this.#right.push(null);
    this.#draw();
  }

  /** @param share Of new digits that were read right after the last step. */
  addRight(share: number): void {
    this.#right[this.#right.length - 1] = share;
    const text = `Loss ${this.#losses.at(-1)!.toFixed(3)}, ${percent(share)} read right after step ${this.#steps.at(-1)}.`;
    byId("curve-text").textContent = text;
    this.#place.setAttribute("aria-label", text);
    this.#draw();
  }

  #size(): { width: number; height: number } {
    const { clientWidth, clientHeight } = this.#place;
    return { width: Math.max(clientWidth, 100), height: Math.max(clientHeight, 100) };
  }

  /** Once a frame at most. */
  #draw(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#plot.setData(
        this.#steps.length === 0 ? [[0], [null], [null]] : [this.#steps, this.#losses, this.#right],
      );
    });
  }
}
