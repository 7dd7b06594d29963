import { PIXELS, SIZE } from "./digit-messages.js";

/** Edge of the pad's own pixels. */
const EDGE = 280;
const PEN = 22;
/** A digit of MNIST fills 20 of the 28 pixels, its weight in the middle. */
const DIGIT = 20;
const STEP = 10;

/** Where a user draws a digit, with the pointer or with arrow keys and space. */
export class DrawingPad {
  readonly #canvas: HTMLCanvasElement;
  readonly #context: CanvasRenderingContext2D;
  readonly #onDraw: () => void;
  #pen = { x: EDGE / 2, y: EDGE / 2, isDown: false };
  #isEmpty = true;

  /**
   * @param keys Has the keyboard's focus.
   * @param onDraw Called after each stroke of the pen.
   */
  constructor(canvas: HTMLCanvasElement, keys: HTMLElement, onDraw: () => void) {
    this.#canvas = canvas;
    this.#context = canvas.getContext("2d", { willReadFrequently: true })!;
    this.#onDraw = onDraw;
    this.clear();
    keys.tabIndex = 0;
    keys.role = "application";
    keys.ariaLabel =
      "Drawing pad: draw a digit with the pointer, or move the pen with the arrow keys and press space to put it down or lift it";
    canvas.onpointerdown = (event) => {
      canvas.setPointerCapture(event.pointerId);
      this.#line(this.#place(event), this.#place(event));
    };
    canvas.onpointermove = (event) => {
      if (event.buttons === 0 || !canvas.hasPointerCapture(event.pointerId)) return;
      for (const { offsetX, offsetY } of event.getCoalescedEvents?.() ?? [event])
        this.#line(this.#pen, this.#place({ offsetX, offsetY }));
    };
    keys.onkeydown = (event) => this.#key(event);
  }

  get isEmpty(): boolean {
    return this.#isEmpty;
  }

  clear(): void {
    this.#context.fillStyle = "#000";
    this.#context.fillRect(0, 0, EDGE, EDGE);
    this.#isEmpty = true;
  }

  /** Shows a digit of the set. */
  show(levels: Uint8Array): void {
    const small = new OffscreenCanvas(SIZE, SIZE);
    small.getContext("2d")!.putImageData(greyImage(levels), 0, 0);
    this.#context.imageSmoothingEnabled = true;
    this.#context.drawImage(small, 0, 0, EDGE, EDGE);
    this.#isEmpty = false;
  }

  /** `28 · 28` grey levels, the drawing scaled and centred as MNIST's digits are. */
  levels(): Uint8Array {
    const { data } = this.#context.getImageData(0, 0, EDGE, EDGE);
    let [left, top, right, bottom] = [EDGE, EDGE, 0, 0];
    for (let pixel = 0; pixel < EDGE * EDGE; pixel++) {
      if (data[pixel * 4] < 40) continue;
      const [x, y] = [pixel % EDGE, Math.floor(pixel / EDGE)];
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
    }
    const result = new Uint8Array(PIXELS);
    if (right <= left) return result;
    const scale = DIGIT / Math.max(right - left, bottom - top);
    const scaled = (offsetX: number, offsetY: number): Uint8ClampedArray => {
      const small = new OffscreenCanvas(SIZE, SIZE).getContext("2d")!;
      small.fillRect(0, 0, SIZE, SIZE);
      small.imageSmoothingQuality = "high";
      const [width, height] = [(right - left) * scale, (bottom - top) * scale];
      const x = (SIZE - width) / 2 + offsetX;
      const y = (SIZE - height) / 2 + offsetY;
      small.drawImage(this.#canvas, left, top, right - left, bottom - top, x, y, width, height);
      return small.getImageData(0, 0, SIZE, SIZE).data;
    };
    const first = scaled(0, 0);
    let [mass, sumX, sumY] = [0, 0, 0];
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const level = first[pixel * 4];
      mass += level;
      sumX += level * ((pixel % SIZE) + 0.5);
      sumY += level * (Math.floor(pixel / SIZE) + 0.5);
    }
    const centred = scaled(Math.round(SIZE / 2 - sumX / mass), Math.round(SIZE / 2 - sumY / mass));
    return result.map((_, pixel) => centred[pixel * 4]);
  }

  #place({ offsetX, offsetY }: { offsetX: number; offsetY: number }): { x: number; y: number } {
    const { clientWidth, clientHeight } = this.#canvas;
    return { x: (offsetX / clientWidth) * EDGE, y: (offsetY / clientHeight) * EDGE };
  }

  #line(from: { x: number; y: number }, to: { x: number; y: number }): void {
    const context = this.#context;
    Object.assign(context, { strokeStyle: "#fff", lineWidth: PEN, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(from.x, from.y);
    context.lineTo(to.x, to.y + 0.01); // a point alone is drawn too
    context.stroke();
    this.#pen = { ...this.#pen, ...to };
    this.#isEmpty = false;
    this.#onDraw();
  }

  #key(event: KeyboardEvent): void {
    const move = {
      ArrowLeft: [-STEP, 0],
      ArrowRight: [STEP, 0],
      ArrowUp: [0, -STEP],
      ArrowDown: [0, STEP],
    }[event.key];
    if (event.key === " ") {
      event.preventDefault();
      this.#pen.isDown = !this.#pen.isDown;
      if (this.#pen.isDown) this.#line(this.#pen, this.#pen);
      return;
    }
    if (move === undefined) return;
    event.preventDefault();
    const within = (value: number): number => Math.min(EDGE - PEN / 2, Math.max(PEN / 2, value));
    const to = { x: within(this.#pen.x + move[0]), y: within(this.#pen.y + move[1]) };
    if (this.#pen.isDown) this.#line(this.#pen, to);
    else this.#pen = { ...this.#pen, ...to };
  }
}

/** Grey levels as a page draws them. */
export function greyImage(levels: Uint8Array): ImageData {
  const image = new ImageData(SIZE, SIZE);
  levels.forEach((level, pixel) => {
    image.data.set([level, level, level, 255], pixel * 4);
  });
  return image;
}
