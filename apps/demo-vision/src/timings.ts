import { byId, make, milliseconds } from "./page.js";

/** How long one answer took, in milliseconds. */
export interface Timing {
  /** Decoding the file, or taking the camera's picture. */
  readonly read: number;
  /** Preprocessing and network, in the worker, and the way there and back. */
  readonly model: number;
}

/** Answers that the middle is taken of. */
const REMEMBERED = 15;

const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1];

/** How long answers take, by device: the middle of the last ones. */
export class Timings {
  readonly #rows = new Map<string, Timing[]>();
  #newest: string | undefined;

  add(device: string, timing: Timing): void {
    const row = this.#rows.get(device) ?? [];
    row.push(timing);
    if (row.length > REMEMBERED) row.shift();
    this.#rows.set(device, row);
    this.#newest = device;
    this.#draw();
  }

  /** Forgets: another model or picture takes another time. */
  clear(): void {
    this.#rows.clear();
    this.#draw();
  }

  #draw(): void {
    const rows = [...this.#rows].map(([device, times]) => {
      const read = middle(times.map((time) => time.read));
      const model = middle(times.map((time) => time.model));
      return { device, read, model, total: read + model };
    });
    const slowest = Math.max(...rows.map(({ model }) => model));
    byId("timing").hidden = rows.length === 0;
    byId("times").replaceChildren(
      ...rows
        .sort((a, b) => a.model - b.model)
        .map(({ device, read, model, total }) => {
          const name = make("th", "", device);
          name.scope = "row";
          const bar = make("td", "timed", milliseconds(model));
          bar.style.setProperty("--share", String(model / slowest));
          const line = make("tr", "", name, make("td", "", milliseconds(read)), bar);
          line.append(make("td", "", milliseconds(total)));
          if (device === this.#newest) line.className = "newest";
          return line;
        }),
    );
  }
}
