import { InputError } from "@ai/tensor";
import type { Picture } from "@ai/vision";
import type { ReaderAnswer } from "./reader.worker.js";

/** A picture to look at, and how long reading it took. */
export interface Shot {
  /** Four channels, as a page draws them. */
  readonly picture: Picture;
  readonly name: string;
  readonly milliseconds: number;
  /** Whether it is one of many, from the camera. */
  readonly isLive: boolean;
}

let worker: Worker | undefined;
let nextId = 0;

/**
 * Decodes a file in a worker, so that a large one does not hold the page.
 * @throws InputError for what is no picture.
 */
export function readFile(file: Blob, name: string): Promise<Shot> {
  worker ??= new Worker(new URL("./reader.worker.ts", import.meta.url), { type: "module" });
  const reader = worker;
  const id = nextId++;
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      reader.removeEventListener("message", onAnswer);
      reader.removeEventListener("error", onLost);
    };
    const onLost = ({ message }: ErrorEvent): void => {
      stop();
      worker = undefined;
      reject(new Error(message || "the worker that reads pictures did not start"));
    };
    const onAnswer = ({ data }: MessageEvent<ReaderAnswer>): void => {
      if (data.id !== id) return;
      stop();
      if ("picture" in data)
        resolve({ picture: data.picture, name, milliseconds: data.milliseconds, isLive: false });
      else reject(new (data.error.isInput ? InputError : Error)(data.error.message));
    };
    reader.addEventListener("message", onAnswer);
    reader.addEventListener("error", onLost);
    reader.postMessage({ id, file });
  });
}
