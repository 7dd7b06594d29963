import type { TaskLoadOptions, TaskProgress } from "@ai/layers/tasks";
import type { DeviceDescription, ModelSource } from "@ai/tensor";
import { type DeviceChoice, type DeviceSwitch, deviceText } from "./devices.js";
import { chosenFolder } from "./dropped-files.js";
import { byId, make } from "./page.js";
import { clearSentence, isAbort, showError } from "./sentences.js";

/** What every loaded task has, as far as a picker uses it. */
interface LoadedTask {
  readonly device: DeviceDescription;
  dispose(): Promise<void>;
}

/** What a picker loads. */
export interface PickerOptions<Loaded extends LoadedTask> {
  /** `data-model-picker` of the place that it is put into. */
  readonly name: string;
  /** Ours first, which need no connection; the first is loaded by itself. */
  readonly models: readonly string[];
  load(model: ModelSource, options: TaskLoadOptions): Promise<Loaded>;
  /** One short sentence about a loaded model. */
  describe(task: Loaded): string;
  /**
   * A model is ready.
   * @param before The one that it takes the place of, alive until this has ended; the same model on another device or not.
   */
  onLoaded(task: Loaded, before: Loaded | undefined, isSameModel: boolean): void | Promise<void>;
}

/** Where a user says which model: by name, as a folder, dropped. It is loaded into a worker, on the device of the page. */
export class ModelPicker<Loaded extends LoadedTask> {
  readonly #options: PickerOptions<Loaded>;
  readonly #devices: DeviceSwitch;
  readonly #form: HTMLFormElement;
  readonly #name: HTMLInputElement;
  readonly #text: HTMLElement;
  readonly #bar: HTMLProgressElement;
  /** What is to be loaded, and what the task in use was made of. */
  #source: ModelSource;
  #loaded: ModelSource | undefined;
  #task: Loaded | undefined;
  #loading: AbortController | undefined;

  constructor(devices: DeviceSwitch, options: PickerOptions<Loaded>) {
    this.#devices = devices;
    this.#options = options;
    this.#source = options.models[0];
    const copy = byId<HTMLTemplateElement>("model-picker").content.cloneNode(true) as DocumentFragment;
    this.#form = copy.querySelector("form")!;
    this.#name = copy.querySelector("[name=model]")!;
    this.#text = copy.querySelector(".text")!;
    this.#bar = copy.querySelector("progress")!;
    this.#name.value = options.models[0];
    const list = copy.querySelector("datalist")!;
    list.id = `models-${options.name}`;
    this.#name.setAttribute("list", list.id);
    list.append(
      ...options.models.map((value) => {
        const option = make("option");
        option.value = value;
        return option;
      }),
    );
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      void this.use(this.#name.value.trim());
    };
    const folder = copy.querySelector<HTMLInputElement>("[name=folder]")!;
    folder.onchange = () => {
      const files = [...(folder.files ?? [])];
      folder.value = "";
      if (files.length > 0) void this.use(chosenFolder(files), files[0].webkitRelativePath.split("/")[0]);
    };
    document.querySelector(`[data-model-picker=${options.name}]`)!.append(copy);
    devices.onChange(() => {
      if (this.#task !== undefined || this.#loading !== undefined) void this.use(this.#source);
    });
  }

  /** The loaded model; undefined while there is none. */
  get task(): Loaded | undefined {
    return this.#task;
  }

  /** Loads the first model of the list when none was loaded or chosen before. */
  ensure(): void {
    if (this.#task === undefined && this.#loading === undefined) void this.use(this.#source);
  }

  /** Loads the model in use once more, on a device; the caller disposes it. */
  loadOn({ device, deviceOptions }: DeviceChoice, signal?: AbortSignal): Promise<Loaded> {
    return this.#options.load(this.#loaded ?? this.#source, {
      worker: true,
      ...(device === undefined ? {} : { device }),
      ...(deviceOptions === undefined ? {} : { deviceOptions }),
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /** Loads a model in place of the one before, which answers until this one is ready. */
  async use(source: ModelSource, name?: string): Promise<void> {
    if (source === "") return;
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    this.#source = source;
    if (name !== undefined) this.#name.value = name;
    const { device, deviceOptions } = this.#devices.current;
    this.#say("loading", "Loading …");
    try {
      const task = await this.#options.load(source, {
        worker: true,
        signal: loading.signal,
        onProgress: (progress) => this.#progress(progress),
        ...(device === undefined ? {} : { device }),
        ...(deviceOptions === undefined ? {} : { deviceOptions }),
      });
      const [old, isSameModel] = [this.#task, source === this.#loaded];
      this.#task = task;
      this.#loaded = source;
      clearSentence();
      this.#say("ready", `${this.#options.describe(task)} On ${deviceText(task.device)}.`);
      await this.#options.onLoaded(task, old, isSameModel);
      void old?.dispose();
    } catch (error) {
      if (isAbort(error)) return;
      this.#source = this.#loaded ?? this.#options.models[0];
      this.#say(
        this.#task === undefined ? "failed" : "ready",
        this.#task === undefined ? "No model" : "The model from before answers on.",
      );
      showError(error);
    } finally {
      if (this.#loading === loading) {
        this.#loading = undefined;
        this.#bar.hidden = true;
      }
    }
  }

  #progress({ phase, message, done, total, file }: TaskProgress): void {
    this.#bar.hidden = false;
    if (total === undefined) this.#bar.removeAttribute("value");
    else Object.assign(this.#bar, { value: done, max: Math.max(1, total) });
    const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
    if (phase === "download" && total !== undefined)
      this.#say("loading", `Downloading ${file}: ${megabytes(done)} of ${megabytes(total)}`);
    else if (phase === "device") this.#say("loading", message);
    else this.#say("loading", "Reading the weights …");
  }

  #say(state: "loading" | "ready" | "failed", text: string): void {
    this.#form.dataset.state = state;
    this.#text.textContent = text;
  }
}
