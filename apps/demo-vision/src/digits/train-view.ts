import {
  browserStorage,
  connectTraining,
  listCheckpoints,
  type RemoteTraining,
  type TrainingEvent,
} from "@ai/layers/training";
import { writeSafetensors } from "@ai/tensor";
import { type DeviceSwitch, deviceText } from "../devices.js";
import { Newest } from "../newest.js";
import { byId, download, make, percent } from "../page.js";
import { clearSentence, showError } from "../sentences.js";
import { Curve } from "./curve.js";
import { type DigitMethods, type DigitOptions, PIXELS, SIZE, type TestDigit } from "./digit-messages.js";
import { DrawingPad, greyImage } from "./drawing-pad.js";

const TEST_IMAGES = 1000;
/** Digits that are shown with what the network says. */
const SHOWN = 24;
const BATCH = 64;

let isStarted = false;

/** Makes the tab of training ready, once. */
export function startTraining(devices: DeviceSwitch): void {
  if (isStarted) return;
  isStarted = true;
  new TrainView(devices);
}

class TrainView {
  readonly #devices: DeviceSwitch;
  readonly #curve = new Curve();
  readonly #pad = new DrawingPad(byId<HTMLCanvasElement>("pad"), byId("pad-keys"), () => void this.#read());
  readonly #start = byId<HTMLButtonElement>("train-start");
  readonly #pause = byId<HTMLButtonElement>("train-pause");
  readonly #stop = byId<HTMLButtonElement>("train-stop");
  readonly #anew = byId<HTMLButtonElement>("train-anew");
  readonly #save = byId<HTMLButtonElement>("train-save");
  #training: RemoteTraining<DigitMethods> | undefined;
  #examples: readonly TestDigit[] = [];
  #nextExample = 0;
  #totalSteps = 0;
  #started = 0;
  #firstStep = 0;
  #state: "starting" | "running" | "idle" = "idle";
  readonly #looks = new Newest();
  #isLooking = false;
  #isReading = false;
  #isReadAgain = false;

  constructor(devices: DeviceSwitch) {
    this.#devices = devices;
    byId("train-form").onsubmit = (event) => {
      event.preventDefault();
      void this.#train(true);
    };
    this.#anew.onclick = () => void this.#train(false);
    this.#pause.onclick = () =>
      this.#training?.state === "paused" ? this.#training.resume() : this.#training?.pause();
    this.#stop.onclick = () => this.#training?.stop("Stopped");
    this.#save.onclick = () => void this.#saveWeights();
    byId("pad-clear").onclick = () => {
      this.#pad.clear();
      this.#answer([]);
    };
    byId("pad-example").onclick = () => this.#showExample();
    byId("pad-scores").append(...Array.from({ length: 10 }, (_, digit) => make("li", "", String(digit))));
    for (const id of ["train-images", "train-rate"]) byId(id).onchange = () => void this.#lookForCheckpoint();
    void this.#lookForCheckpoint();
  }

  #options(): DigitOptions {
    const { device, deviceOptions } = this.#devices.current;
    return {
      ...(device === undefined ? {} : { device }),
      ...(deviceOptions === undefined ? {} : { deviceOptions }),
      folder: new URL("digits/", document.baseURI).href,
      images: Number(byId<HTMLSelectElement>("train-images").value),
      testImages: TEST_IMAGES,
      learningRate: Number(byId<HTMLSelectElement>("train-rate").value),
      batchSize: BATCH,
    };
  }

  /**
   * A run that was stopped, or was going on when the page was closed, goes on where it was. Until it is known what is
   * saved none can be started: the button would name another step, or none.
   */
  async #lookForCheckpoint(): Promise<void> {
    const { images, learningRate } = this.#options();
    this.#isLooking = true;
    this.#buttons();
    try {
      const found = await this.#looks.of(async () => {
        const storage = await browserStorage();
        return listCheckpoints(`demo-vision/digits-${images}-${learningRate}`, { storage });
      });
      if (found === undefined) return; // asked again meanwhile
      const last = found.at(-1);
      this.#start.textContent = last === undefined ? "Train" : `Go on after step ${last.step}`;
      this.#anew.hidden = last === undefined;
    } catch (error) {
      showError(error);
    }
    this.#isLooking = false;
    this.#buttons();
  }

  async #train(resume: boolean): Promise<void> {
    clearSentence();
    this.#state = "starting";
    this.#buttons();
    this.#say("loading", "Starting the worker …");
    const options = this.#options();
    const asked = Number(byId<HTMLInputElement>("train-epochs").value);
    const before = this.#training;
    this.#training = undefined; // what it has not answered is of no use any more
    try {
      await before?.close();
      const worker = new Worker(new URL("./digits.worker.ts", import.meta.url), { type: "module" });
      const training = await connectTraining<DigitMethods, DigitOptions>(worker, {
        options,
        resume,
        onEvent: (event) => this.#hear(event),
      });
      this.#training = training;
      const { losses, epochs } = training.history;
      this.#curve.start(
        losses,
        new Map(epochs.map(({ step, values }) => [step, values["validation.accuracy"]])),
      );
      this.#examples = await training.call("examples", SHOWN);
      await this.#readExamples();
      if (this.#pad.isEmpty) this.#answer([]);
      const result = await training.fit({ epochs: training.epoch + asked });
      const right = training.history.epochs.at(-1)?.values["validation.accuracy"];
      const said = right === undefined ? "" : ` It reads ${percent(right)} of new digits right.`;
      this.#say(
        "ready",
        `${result.outcome === "finished" ? "Done" : "Stopped"} after ${result.step} steps.${said}`,
      );
    } catch (error) {
      this.#say("failed", "It ended early");
      showError(error);
    } finally {
      this.#state = "idle";
      void this.#lookForCheckpoint();
    }
  }

  #hear(event: TrainingEvent): void {
    const training = this.#training;
    switch (event.kind) {
      case "message":
        this.#say("loading", String(event.message));
        return;
      case "start":
        this.#totalSteps = event.totalSteps ?? 0;
        this.#firstStep = event.step;
        this.#started = performance.now();
        this.#state = "running";
        this.#buttons();
        return;
      case "steps":
        for (const { step, loss } of event.steps) this.#curve.addStep(step, loss);
        this.#progress(event.steps.at(-1)!.step, event.metrics.accuracy);
        void this.#read();
        return;
      case "epoch":
        this.#curve.addRight(event.record.values["validation.accuracy"]);
        void this.#readExamples();
        return;
      case "paused":
        this.#pause.textContent = "Go on";
        this.#say("ready", `Paused after step ${event.step}`);
        return;
      case "resumed":
        this.#pause.textContent = "Pause";
        this.#started = performance.now();
        this.#firstStep = training?.step ?? 0;
    }
  }

  #progress(step: number, accuracy: number | undefined): void {
    Object.assign(byId<HTMLProgressElement>("train-progress"), { value: step, max: this.#totalSteps });
    // the values of the last steps come after the pause: its words stay
    if (this.#training?.state === "paused") return;
    const seconds = (performance.now() - this.#started) / 1000;
    const rate = (step - this.#firstStep) / Math.max(seconds, 0.001);
    const left = Math.round((this.#totalSteps - step) / rate);
    const device = this.#training === undefined ? "" : ` on ${deviceText(this.#training.info.device)}`;
    const share = accuracy === undefined ? "" : `, ${percent(accuracy)} right so far`;
    this.#say(
      "loading",
      `Step ${step} of ${this.#totalSteps}${share}. ${Math.round(rate * BATCH)} digits a second${device}, ${left} s left.`,
    );
  }

  #buttons(): void {
    const isRunning = this.#state === "running";
    this.#start.disabled = this.#anew.disabled = this.#state !== "idle" || this.#isLooking;
    this.#pause.disabled = this.#stop.disabled = !isRunning;
    if (this.#training?.state !== "paused") this.#pause.textContent = "Pause";
    this.#save.disabled = this.#state === "starting" || this.#training === undefined;
  }

  #say(state: "loading" | "ready" | "failed", text: string): void {
    byId("train-state").textContent = text;
    byId("train-dot").parentElement!.dataset.state = state;
  }

  /** Asks the network what is drawn; again when it was drawn on meanwhile. */
  async #read(): Promise<void> {
    const training = this.#training;
    if (training === undefined || this.#pad.isEmpty) return;
    if (this.#isReading) {
      this.#isReadAgain = true;
      return;
    }
    this.#isReading = true;
    try {
      const scores = await training.call("read", this.#pad.levels());
      if (!this.#pad.isEmpty) this.#answer(scores);
    } catch (error) {
      if (training === this.#training) showError(error);
    } finally {
      this.#isReading = false;
      if (this.#isReadAgain) {
        this.#isReadAgain = false;
        void this.#read();
      }
    }
  }

  #answer(scores: readonly number[]): void {
    const best = scores.indexOf(Math.max(...scores));
    const words = best < 0 ? "Draw a digit" : `${best}, ${percent(scores[best])} sure`;
    if (byId("pad-answer").textContent !== words) byId("pad-answer").textContent = words;
    [...(byId("pad-scores").children as HTMLCollectionOf<HTMLElement>)].forEach((bar, digit) => {
      bar.style.setProperty("--share", String(scores[digit] ?? 0));
    });
  }

  #showExample(): void {
    if (this.#examples.length === 0) {
      this.#say("ready", "Press Train first: the digits are fetched then.");
      return;
    }
    this.#pad.show(this.#examples[this.#nextExample++ % this.#examples.length].levels);
    void this.#read();
  }

  /** Shows what the network says of digits that it does not learn from. */
  async #readExamples(): Promise<void> {
    const training = this.#training;
    if (training === undefined) return;
    const examples = this.#examples;
    const levels = new Uint8Array(examples.length * PIXELS);
    examples.forEach((digit, index) => void levels.set(digit.levels, index * PIXELS));
    let scores: readonly number[];
    try {
      scores = await training.call("read", levels);
    } catch (error) {
      if (training === this.#training) showError(error);
      return;
    }
    byId("test-digits").replaceChildren(
      ...examples.map(({ levels: grey, label }, index) => {
        const own = scores.slice(index * 10, index * 10 + 10);
        const said = own.indexOf(Math.max(...own));
        const canvas = make("canvas");
        Object.assign(canvas, { width: SIZE, height: SIZE });
        canvas.getContext("2d")!.putImageData(greyImage(grey), 0, 0);
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", `The digit ${label}, read as`);
        const isRight = said === label;
        return make(
          "li",
          isRight ? "right" : "wrong",
          canvas,
          make("span", "", isRight ? `${said} ✓` : `${said} ✗`),
        );
      }),
    );
  }

  async #saveWeights(): Promise<void> {
    try {
      const weights = await this.#training!.weights();
      download(new Uint8Array(await writeSafetensors(weights)), "digit-network.safetensors");
    } catch (error) {
      showError(error);
    }
  }
}
