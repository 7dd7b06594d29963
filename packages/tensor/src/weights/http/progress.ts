/** How far the download of a file is. */
export interface DownloadProgress {
  /** The file's path in its repository. */
  readonly file: string;
  /** Bytes that are here, those of an earlier attempt included. */
  readonly loadedBytes: number;
  readonly totalBytes: number;
  /** Over the last seconds; 0 until it is known. */
  readonly bytesPerSecond: number;
  /** At this rate; `undefined` until it is known. */
  readonly secondsLeft: number | undefined;
}

/** What is told about a download. */
export type ProgressListener = (progress: DownloadProgress) => void;

const WINDOW_SECONDS = 3;
const SECONDS_BETWEEN = 0.1;

/** Measures a download and tells it at most ten times a second, its beginning and its end always. */
export class ProgressMeter {
  readonly #file: string;
  readonly #total: number;
  readonly #listener: ProgressListener | undefined;
  #loaded = 0;
  #told = Number.NEGATIVE_INFINITY;
  #samples: { readonly time: number; readonly loaded: number }[] = [];

  constructor(file: string, total: number, listener: ProgressListener | undefined) {
    this.#file = file;
    this.#total = total;
    this.#listener = listener;
  }

  /** Sets what is here before bytes flow: at the beginning, and after a restart. */
  start(loaded: number): void {
    this.#loaded = loaded;
    this.#samples = [{ time: performance.now() / 1000, loaded }];
    this.#tell(true);
  }

  /** Counts bytes that came. */
  add(bytes: number): void {
    this.#loaded += bytes;
    this.#tell(this.#loaded === this.#total);
  }

  #tell(always: boolean): void {
    if (this.#listener === undefined) return;
    const time = performance.now() / 1000;
    if (!always && time - this.#told < SECONDS_BETWEEN) return;
    this.#told = time;
    this.#samples.push({ time, loaded: this.#loaded });
    while (this.#samples.length > 2 && time - this.#samples[0].time > WINDOW_SECONDS) this.#samples.shift();
    const [first] = this.#samples;
    const rate = time > first.time ? (this.#loaded - first.loaded) / (time - first.time) : 0;
    this.#listener({
      file: this.#file,
      loadedBytes: this.#loaded,
      totalBytes: this.#total,
      bytesPerSecond: rate,
      secondsLeft: rate > 0 ? (this.#total - this.#loaded) / rate : undefined,
    });
  }
}
