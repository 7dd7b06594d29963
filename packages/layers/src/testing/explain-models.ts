import { cast, dispose, mean, type Tensor } from "@ai/tensor";
import type { Fixture } from "@ai/tensor/testing";
import * as layers from "../index.js";
import { loadLayerFixture, storedState } from "./layer-cases.js";

/** The image classifier of tooling/fixtures/layers/explain.py, with the weights trained there. */
function imageModel(fixture: Fixture): layers.Sequential {
  const model = new layers.Sequential(
    new layers.Conv2d(1, 4, 3, { padding: 1 }),
    new layers.ReLU(),
    new layers.MaxPool2d(2, { stride: 1, padding: 1 }),
    new layers.Conv2d(4, 6, 3, { stride: 2, padding: 1 }),
    new layers.ReLU(),
    new layers.AdaptiveAvgPool2d(1),
    new layers.Flatten(),
    new layers.Linear(6, 2),
  );
  model.loadStateDict(storedState(fixture, "image"));
  return model;
}

/** The encoder of token ids of the same file. */
class TextModel extends layers.Module<[ids: Tensor, masks: layers.AttentionMasks], Tensor> {
  readonly embedding = new layers.Embedding(10, 8);
  readonly encoder = new layers.TransformerEncoder(8, 2, { numLayers: 2, dimFeedforward: 16, dropout: 0.5 });
  readonly classifier = new layers.Linear(8, 3);

  protected forward(ids: Tensor, masks: layers.AttentionMasks): Tensor {
    const states = this.encoder.call(this.embedding.call(ids), masks);
    return this.classifier.call(mean(states, { axes: 1 }));
  }
}

/** The encoder, its input and masks, as stored; `free` them. */
export async function textParts() {
  const fixture = await loadLayerFixture("explain");
  const model = new TextModel();
  model.loadStateDict(storedState(fixture, "text"));
  const ids = fixture.tensor("text/input");
  const bits = fixture.tensor("text/padding");
  const keyPaddingMask = cast(bits, "bool");
  bits.dispose();
  const free = (): void => {
    dispose([ids, keyPaddingMask]);
    model.dispose();
  };
  return { fixture, model, ids, otherInputs: [{ keyPaddingMask }], free };
}

/** The classifier and its images, as stored; `free` them. */
export async function imageParts() {
  const fixture = await loadLayerFixture("explain");
  const model = imageModel(fixture);
  const images = fixture.tensor("image/input");
  const free = (): void => {
    images.dispose();
    model.dispose();
  };
  return { fixture, model, images, free };
}
