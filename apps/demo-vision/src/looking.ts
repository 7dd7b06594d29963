import type { DeviceChoice } from "./devices.js";
import type { Explainer } from "./explainer.js";
import { byId } from "./page.js";
import type { Shot } from "./reader.js";
import { isAbort, showError } from "./sentences.js";
import type { Stage } from "./stage.js";
import { Timings } from "./timings.js";
import type { View } from "./views/view.js";

/** A hidden page gets none: looking then waits until it is seen again. */
const nextFrame = (): Promise<number> => new Promise(requestAnimationFrame);

/** Milliseconds after which a user wonders. */
const MOMENT = 300;

/** Asks the view in front for its answer: to a picture once, to the camera again and again, never twice at a time. */
export class Looking {
  readonly #stage: Stage;
  readonly #explainer: Explainer;
  readonly #timings = new Timings();
  #view: View | undefined;
  #shot: Shot | undefined;
  #camera: (() => Promise<Shot>) | undefined;
  #isBusy = false;
  #isAskedAgain = false;
  #comparing: AbortController | undefined;

  constructor(stage: Stage, explainer: Explainer) {
    this.#stage = stage;
    this.#explainer = explainer;
  }

  get shot(): Shot | undefined {
    return this.#shot;
  }

  get view(): View | undefined {
    return this.#view;
  }

  set view(view: View | undefined) {
    if (this.#view === view) return;
    this.#view = view;
    this.#stage.clear();
    this.#timings.clear();
    this.#comparing?.abort();
    this.again();
  }

  /** Looks at a picture. */
  use(shot: Shot): void {
    this.#shot = shot;
    this.#stage.show(shot);
    this.#timings.clear();
    this.#comparing?.abort();
    this.again();
  }

  /** Looks at what a camera sees until `stop`. */
  follow(camera: () => Promise<Shot>): void {
    this.#camera = camera;
    this.#timings.clear();
    this.#stage.clear();
    this.again();
  }

  stop(): void {
    this.#camera = undefined;
  }

  /** Looks once more: at once, or when the answer on its way has come. */
  again(): void {
    this.#isAskedAgain = true;
    if (!this.#isBusy) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    try {
      while (this.#isAskedAgain || this.#camera !== undefined) {
        this.#isAskedAgain = false;
        await this.#once();
        if (this.#camera !== undefined) await nextFrame();
      }
    } finally {
      this.#isBusy = false;
    }
  }

  async #once(): Promise<void> {
    this.#explainer.hide();
    try {
      await this.#shoot();
      const [view, shot] = [this.#view, this.#shot];
      if (shot === undefined || view === undefined || !view.isReady) return;
      const device = view.device!;
      const { milliseconds, show } = await this.#patiently(view.look(shot));
      // the view or the picture may have made way for another one, which is looked at next
      if (this.#view !== view || this.#shot !== shot) return;
      show();
      byId("stage").dataset.answered = shot.name;
      this.#timings.add(device, { read: shot.milliseconds, model: milliseconds });
    } catch (error) {
      // a model that was replaced meanwhile owes no answer
      if (this.#isAskedAgain || isAbort(error)) return;
      this.#camera = undefined;
      showError(error);
    }
  }

  /** Takes what the camera sees now, if it is on and has not been stopped once that is there. */
  async #shoot(): Promise<void> {
    const camera = this.#camera;
    if (camera === undefined) return;
    try {
      const live = await camera();
      if (this.#camera !== camera) return;
      this.#shot = live;
      this.#stage.show(live);
    } catch (error) {
      if (this.#camera === camera) throw error;
    }
  }

  /** Says that it looks, when that takes longer than a moment. */
  async #patiently<Result>(work: Promise<Result>): Promise<Result> {
    const { dataset } = byId("stage");
    const timer = setTimeout(() => {
      dataset.busy = "";
    }, MOMENT);
    try {
      return await work;
    } finally {
      clearTimeout(timer);
      delete dataset.busy;
    }
  }

  /** Runs the view's model on each device in turn. */
  async compare(choices: readonly DeviceChoice[]): Promise<void> {
    const view = this.#view;
    const shot = this.#shot;
    const status = byId("compare-status");
    const button = byId<HTMLButtonElement>("compare");
    if (view === undefined || shot === undefined || !view.isReady) return;
    const work = new AbortController();
    this.#comparing = work;
    button.disabled = true;
    try {
      for (const choice of choices) {
        status.textContent = `${choice.label} …`;
        try {
          const { device, times } = await view.measure(choice, shot.picture, work.signal);
          for (const model of times) this.#timings.add(device, { read: shot.milliseconds, model });
        } catch (error) {
          work.signal.throwIfAborted();
          showError(error);
        }
      }
      status.textContent = "The middle of five runs each.";
    } catch {
      status.textContent = "";
    } finally {
      button.disabled = false;
    }
  }
}
