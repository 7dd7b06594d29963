import { readImage } from "@ai/vision";
import type { Shot } from "./reader.js";

/** The user's camera. */
export class Camera {
  readonly #video = document.createElement("video");
  #stream: MediaStream | undefined;

  get isOn(): boolean {
    return this.#stream !== undefined;
  }

  /** @param onEnded Called when the camera is taken away. @throws what `getUserMedia` throws. */
  async start(onEnded: () => void): Promise<void> {
    if (navigator.mediaDevices === undefined)
      throw new DOMException("a page without https has no camera", "NotAllowedError");
    const video = { facingMode: "environment", width: { ideal: 640 }, height: { ideal: 480 } };
    this.#stream = await navigator.mediaDevices.getUserMedia({ video });
    this.#stream.getVideoTracks()[0].onended = onEnded;
    Object.assign(this.#video, { srcObject: this.#stream, muted: true, playsInline: true });
    await this.#video.play();
  }

  stop(): void {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
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
