/** Time between two redraws on a terminal. */
const REDRAW_MILLISECONDS = 100;
const BAR_COLUMNS = 24;

/** How far something is. */
export interface LineProgress {
  readonly done: number;
  readonly total?: number;
  /** Stands behind the bar. */
  readonly note?: string;
}

/** One line of standard error that is drawn over; nothing where that is no terminal. */
export class ProgressLine {
  #drawn = 0;
  #shownAt = 0;

  /** @param title Stands in front. */
  show(title: string, { done, total, note = "" }: LineProgress): void {
    const now = performance.now();
    const { stderr } = process;
    if (stderr.isTTY !== true || (now - this.#shownAt < REDRAW_MILLISECONDS && done !== total)) return;
    this.#shownAt = now;
    const share = total === undefined || total <= 0 ? undefined : Math.min(1, done / total);
    const filled = Math.round((share ?? 0) * BAR_COLUMNS);
    const bar = share === undefined ? "" : `[${"█".repeat(filled)}${"·".repeat(BAR_COLUMNS - filled)}] `;
    const line = `${title} ${bar}${note}`.slice(0, Math.max(1, (stderr.columns ?? 80) - 1));
    stderr.write(`\r${line.padEnd(this.#drawn)}`);
    this.#drawn = line.length;
  }

  clear(): void {
    // what others drew, too
    if (process.stderr.isTTY === true) process.stderr.write("\r\u001b[2K");
    this.#drawn = 0;
  }
}
