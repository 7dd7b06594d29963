import { halfPrecision } from "@ai/layers";
import type { EpochRecord } from "@ai/layers/training";
import { invertMapping, type ModelFolder, mapWeights, saveModelFolder, type WeightMapping } from "@ai/tensor";
import type { ImageModel } from "../models/image-model.js";
import { assertOptionNames } from "../preprocess/checks.js";

/** Options of {@link TrainedImageClassifier.save}. */
export interface SaveClassifierOptions {
  /** Half the bytes: weights of 16 bits, computed with 32. Default false. */
  readonly float16?: boolean;
  /** `README.md`. */
  readonly card?: ModelFolder["card"];
  readonly signal?: AbortSignal;
}

/** What training gave: a model, and what is needed to use it. */
export class TrainedImageClassifier {
  readonly model: ImageModel;
  /** Content of `config.json`, labels included. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Content of `preprocessor_config.json`. */
  readonly preprocessing: Readonly<Record<string, unknown>>;
  /** How each epoch went. */
  readonly epochs: readonly EpochRecord[];
  readonly #mapping: WeightMapping;

  /** @internal */
  constructor(parts: {
    readonly model: ImageModel;
    readonly config: Readonly<Record<string, unknown>>;
    readonly classes: readonly string[];
    readonly preprocessing: Readonly<Record<string, unknown>>;
    readonly epochs: readonly EpochRecord[];
    /** How a checkpoint's names become the model's: it is saved under those of the checkpoint. Default none. */
    readonly mapping?: WeightMapping;
  }) {
    const { model, config, classes, preprocessing, epochs, mapping = [] } = parts;
    this.model = model;
    this.#mapping = mapping;
    this.preprocessing = preprocessing;
    this.epochs = epochs;
    this.config = {
      ...config,
      id2label: Object.fromEntries(classes.map((name, index) => [String(index), name])),
      label2id: Object.fromEntries(classes.map((name, index) => [name, index])),
    };
  }

  /** Share of the validation pictures whose class was right after the last epoch; undefined without validation. */
  get accuracy(): number | undefined {
    return this.epochs.at(-1)?.values["validation.accuracy"];
  }

  /**
   * Saves a folder that `loadImageClassifier` opens: `config.json`, `model.safetensors`, `preprocessor_config.json`.
   * @throws InputError in a browser, where `files` gives the content instead.
   */
  async save(folder: string, options: SaveClassifierOptions = {}): Promise<void> {
    assertOptionNames("TrainedImageClassifier.save", options, ["float16?", "card", "signal"]);
    const { float16 = false, card, signal } = options;
    const files = await this.files({ float16, ...(card === undefined ? {} : { card }) });
    await saveModelFolder(folder, files, signal === undefined ? {} : { signal });
  }

  /** What `save` writes, for `writeModelFolder` in a page. */
  async files(options: Omit<SaveClassifierOptions, "signal"> = {}): Promise<ModelFolder> {
    assertOptionNames("TrainedImageClassifier.files", options, ["float16?", "card"]);
    const { float16 = false, card } = options;
    const own = await this.model.stateDict();
    const state =
      this.#mapping.length === 0 ? own : await mapWeights(own, invertMapping(this.#mapping)).hosts();
    return {
      config: this.config,
      tensors: float16 ? halfPrecision(state) : state,
      files: { "preprocessor_config.json": `${JSON.stringify(this.preprocessing, undefined, 2)}\n` },
      ...(card === undefined ? {} : { card }),
    };
  }

  /** Frees the model. */
  dispose(): void {
    this.model.dispose();
  }
}
