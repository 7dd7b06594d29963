import { isAiError } from "@ai/tensor";
import { type Picture, readImage } from "@ai/vision";

/** What the worker answers: a picture with four channels, or why there is none. */
export type ReaderAnswer =
  | { readonly id: number; readonly picture: Picture; readonly milliseconds: number }
  | { readonly id: number; readonly error: { readonly message: string; readonly isInput: boolean } };

const port = globalThis as unknown as {
  postMessage(answer: ReaderAnswer, buffers: ArrayBuffer[]): void;
  onmessage: (event: { data: { readonly id: number; readonly file: Blob } }) => void;
};

port.onmessage = async ({ data: { id, file } }) => {
  const started = performance.now();
  try {
    const picture = await readImage(file, { channels: 4 });
    const buffer = picture.data.buffer as ArrayBuffer;
    port.postMessage({ id, picture, milliseconds: performance.now() - started }, [buffer]);
  } catch (error) {
    port.postMessage({ id, error: { message: (error as Error).message, isInput: isAiError(error) } }, []);
  }
};
