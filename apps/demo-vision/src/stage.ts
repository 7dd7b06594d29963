import {
  type Detection,
  drawBoxes,
  drawRelevance,
  type Picture,
  type RelevanceMap,
  writePng,
} from "@ai/vision";
import { byId, make, percent } from "./page.js";
import type { Shot } from "./reader.js";

/** Colours of boxes by class; the page's style says which. */
const BOX_COLORS = 6;

/** Where the picture is, with what is drawn over it. */
export class Stage {
  readonly #frame = byId("frame");
  readonly #picture = byId<HTMLCanvasElement>("picture");
  readonly #overlay = byId<HTMLCanvasElement>("overlay");
  readonly #boxes = byId("boxes");
  readonly #caption = byId("caption");
  readonly #colors = new Map<string, number>();

  #relevance: RelevanceMap | undefined;
  #drawn: readonly Detection[] = [];
  #opacity = 1;

  /** Shows a picture; what was drawn over the one before goes, but boxes over a camera's stay until the next. */
  show({ picture, name, isLive }: Shot): void {
    const { width, height, data } = picture;
    if (this.#picture.width !== width || this.#picture.height !== height)
      Object.assign(this.#picture, { width, height });
    const levels = new Uint8ClampedArray(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    this.#picture.getContext("2d")!.putImageData(new ImageData(levels, width, height), 0, 0);
    this.#frame.style.setProperty("--ratio", String(width / height));
    byId("empty").hidden = true;
    byId("save").hidden = false;
    const text = isLive ? "Camera" : `${name}, ${width} × ${height}`;
    if (this.#caption.textContent !== text) {
      this.#caption.textContent = text;
      this.#picture.setAttribute("aria-label", text);
    }
    if (!isLive) this.clear();
    else this.hideRelevance();
  }

  /** Takes away what is drawn over the picture. */
  clear(): void {
    this.hideRelevance();
    this.showBoxes([]);
  }

  hideRelevance(): void {
    this.#relevance = undefined;
    this.#overlay.hidden = true;
  }

  /**
   * Lays an explanation over the picture: warm where it speaks for the class, cool where against.
   */
  showRelevance(map: RelevanceMap): void {
    this.#relevance = map;
    const { relevance, width, height } = map;
    Object.assign(this.#overlay, { width, height, hidden: false });
    const pixels = new ImageData(width, height);
    relevance.forEach((value, index) => {
      const at = index * 4;
      const strength = Math.min(1, Math.abs(value));
      // from violet over red to yellow, as the eye orders them; against it blue
      const [red, green, blue] =
        value > 0
          ? [120 + 135 * Math.min(1, 2 * strength), 230 * strength ** 2, 130 * (1 - strength) ** 2]
          : [20, 90, 255];
      pixels.data.set([red, green, blue, 255 * strength ** 0.8], at);
    });
    this.#overlay.getContext("2d")!.putImageData(pixels, 0, 0);
  }

  /** How much of the explanation is seen, in [0, 1]. */
  setOpacity(opacity: number): void {
    this.#opacity = opacity;
    this.#overlay.style.opacity = String(opacity);
  }

  /** A number for the colour of a class, the same for all its boxes. */
  colorOf(label: string): number {
    const color = this.#colors.get(label) ?? this.#colors.size % BOX_COLORS;
    this.#colors.set(label, color);
    return color;
  }

  showBoxes(boxes: readonly Detection[]): void {
    this.#drawn = boxes;
    const { width, height } = this.#picture;
    const share = (value: number, all: number): string => `${(100 * value) / all}%`;
    this.#boxes.replaceChildren(
      ...boxes.map(({ label, score, box: [left, top, right, bottom] }) => {
        const made = make("div", "box", make("span", "", `${label} ${percent(score)}`));
        made.dataset.color = String(this.colorOf(label));
        made.style.left = share(left, width);
        made.style.top = share(top, height);
        made.style.width = share(right - left, width);
        made.style.height = share(bottom - top, height);
        if (top < height * 0.06) made.classList.add("under");
        return made;
      }),
    );
  }

  /** Marks one of the boxes; none for −1. */
  markBox(index: number): void {
    [...this.#boxes.children].forEach((box, at) => void box.classList.toggle("marked", at === index));
  }

  /** The picture with what is drawn over it, as the bytes of a PNG file. */
  toPng(picture: Picture): Promise<Uint8Array> {
    const explained =
      this.#relevance === undefined
        ? picture
        : drawRelevance(picture, this.#relevance, { opacity: this.#opacity });
    return writePng(this.#drawn.length === 0 ? explained : drawBoxes(explained, this.#drawn));
  }
}
