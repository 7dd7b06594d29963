import { readImage } from "@ai/vision";
import type { Shot } from "./reader.js";

/** The user's camera. */
export class Camera {
  readonly #video = document.createElement("video");
  #stream: MediaStream | undefined;
  #changes = 0;

  get isOn(): boolean {
    return this.#stream !== undefined;
  }

  /**
   * @param onEnded Called when the camera is taken away.
   * @throws what `getUserMedia` throws; AbortError when it was stopped, or started once more, meanwhile.
   */
  async start(onEnded: () => void): Promise<void> {
    const change = ++this.#changes;
    try {
      await this.#start(onEnded, () => change !== this.#changes);
    } catch (error) {
      throw change === this.#changes ? error : new DOMException("the camera was stopped", "AbortError");
    }
  }

  async #start(onEnded: () => void, isLate: () => boolean): Promise<void> {
    if (navigator.mediaDevices === undefined)
      throw new DOMException("a page without https has no camera", "NotAllowedError");
    const video = { facingMode: "environment", width: { ideal: 640 }, height: { ideal: 480 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video });
    if (isLate()) {
      end(stream);
      throw new DOMException("nobody waits for it", "AbortError");
    }
    this.#stream = stream;
    stream.getVideoTracks()[0].onended = onEnded;
    Object.assign(this.#video, { srcObject: stream, muted: true, playsInline: true });
    await this.#video.play();
    if (isLate()) throw new DOMException("nobody waits for it", "AbortError");
  }

  stop(): void {
    this.#changes++;
    if (this.#stream !== undefined) end(this.#stream);
    this.#stream = undefined;
    this.#video.srcObject = null;
  }

  /** What it sees now. */
  async shoot(): Promise<Shot> {
    const started = performance.now();
    const picture = await readImage(this.#video, { channels: 4 });
    return { picture, name: "Camera", milliseconds: performance.now() - started, isLive: true };
  }
}

function end(stream: MediaStream): void {
  for (const track of stream.getTracks()) track.stop();
}
