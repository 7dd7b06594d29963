import { type ImageRecognition, loadImageRecognizer } from "@ai/vision";
import { deviceText } from "../devices.js";
import { ModelPicker } from "../model-picker.js";
import { byId, download, make } from "../page.js";
import type { Shot } from "../reader.js";
import { showError } from "../sentences.js";
import { timeRuns, type View, type ViewContext } from "./view.js";

const MODELS = [
  "cifar10-small",
  "microsoft/resnet-18",
  "google/mobilenet_v2_1.0_224",
  "facebook/deit-tiny-patch16-224",
];

/** Width and height of an example's picture in the list. */
const THUMBNAIL = { width: 120, height: 90 };

/** An example in the list; its picture is known only if it was added in this page. */
interface Example {
  readonly id: number;
  readonly label: string;
  readonly thumbnail: HTMLCanvasElement;
}

function thumbnailOf({ picture: { data, width, height } }: Shot): HTMLCanvasElement {
  const full = new OffscreenCanvas(width, height);
  const levels = new Uint8ClampedArray(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  full.getContext("2d")!.putImageData(new ImageData(levels, width, height), 0, 0);
  const canvas = make("canvas");
  Object.assign(canvas, THUMBNAIL);
  const scale = Math.max(THUMBNAIL.width / width, THUMBNAIL.height / height);
  const [wide, high] = [width * scale, height * scale];
  canvas
    .getContext("2d")!
    .drawImage(full, (THUMBNAIL.width - wide) / 2, (THUMBNAIL.height - high) / 2, wide, high);
  return canvas;
}

/** A recogniser that a user teaches with a few examples. */
export function teachView({ devices, lookAgain, shot }: ViewContext): View {
  const list = byId("examples");
  const name = byId<HTMLInputElement>("example-name");
  const add = byId<HTMLButtonElement>("add-example");
  const save = byId<HTMLButtonElement>("gallery-save");
  const clear = byId<HTMLButtonElement>("gallery-clear");
  const open = byId<HTMLInputElement>("gallery-open");
  let examples: Example[] = [];
  let changing = 0;
  let labels: readonly { readonly label: string; readonly count: number }[] = [];

  const picker = new ModelPicker(devices, {
    name: "teach",
    models: MODELS,
    load: loadImageRecognizer,
    describe: ({ info: { architecture, embeddingDim } }) =>
      `${architecture} sees a picture as ${embeddingDim} numbers.`,
    onLoaded: (task, before, isSameModel) =>
      inTurn(async () => {
        // another device sees the same; another model sees other numbers, and must be taught anew
        const known = isSameModel ? await before?.toBytes(undefined) : undefined;
        if (known !== undefined) await task.load(known);
        else examples = [];
        await taught(task);
      }),
  });
  type Recognizer = NonNullable<typeof picker.task>;

  let last: Promise<void> = Promise.resolve();

  /** Changes the examples once all changes that were asked for before are done: a new model takes them over whole. */
  function inTurn(work: () => Promise<unknown>): Promise<void> {
    last = last.then(work).then(() => undefined, showError);
    return last;
  }

  /** After every change of the examples. */
  async function taught(task: Recognizer): Promise<void> {
    labels = await task.labels(undefined);
    // so that it can say that something is none of them
    if (labels.length > 1 && labels.some(({ count }) => count > 1)) await task.calibrate({});
    drawExamples();
    lookAgain();
  }

  function drawExamples(): void {
    save.disabled = clear.disabled = labels.length === 0;
    const shown = examples.map((example) => {
      const button = make("button", "", example.thumbnail);
      button.type = "button";
      button.title = "Forget this example";
      button.setAttribute("aria-label", `Forget this example of ${example.label}`);
      button.onclick = () => void change((task) => forget(task, example));
      return make("li", "", button, make("span", "", example.label));
    });
    const counts = labels.map(({ label, count }) => {
      const seen = examples.filter((example) => example.label === label).length;
      return seen === count ? [] : [make("li", "", `${label}: ${count - seen} from the file`)];
    });
    list.replaceChildren(...shown, ...counts.flat());
  }

  async function forget(task: Recognizer, example: Example): Promise<void> {
    if (!examples.includes(example)) return; // pressed twice
    await task.remove({ examples: [example.id] });
    examples = examples.filter((other) => other !== example);
  }

  /** Changes the examples, with the buttons off meanwhile. */
  async function change(work: (task: Recognizer) => Promise<unknown>): Promise<void> {
    add.disabled = true;
    changing++;
    await inTurn(async () => {
      const { task } = picker;
      if (task === undefined) return;
      await work(task);
      await taught(task);
    });
    changing--;
    add.disabled = changing > 0;
  }

  function draw({ label, score, candidates }: ImageRecognition): void {
    const words =
      labels.length === 0
        ? "Nothing yet: teach it two things."
        : label === null
          ? "None of your things"
          : `${label}`;
    const place = byId("recognised");
    if (place.textContent !== words) place.textContent = words;
    place.dataset.score = score.toFixed(3);
    byId("nearest").replaceChildren(
      ...candidates.map((candidate) => {
        const share = Math.max(0, candidate.score);
        const row = make(
          "div",
          "class",
          make("span", "name", candidate.label),
          make("span", "share", `similar by ${candidate.score.toFixed(2)}`),
        );
        row.style.setProperty("--share", String(share));
        return make("li", "", row);
      }),
    );
  }

  byId("teach-form").onsubmit = (event) => {
    event.preventDefault();
    const seen = shot();
    const label = name.value.trim();
    if (picker.task === undefined || label === "") return;
    void change(async (task) => {
      if (seen === undefined) {
        byId("recognised").textContent = "Choose a picture or start the camera first.";
        return;
      }
      const [id] = await task.add({ label, pictures: seen.picture });
      examples.push({ id, label, thumbnail: thumbnailOf(seen) });
    });
  };
  save.onclick = async () => {
    try {
      const bytes = await picker.task?.toBytes(undefined);
      if (bytes !== undefined) download(new Uint8Array(bytes), "examples.safetensors");
    } catch (error) {
      showError(error);
    }
  };
  open.onchange = () => {
    const [file] = open.files ?? [];
    open.value = "";
    if (file !== undefined)
      void change(async (task) => {
        await task.load(file);
        examples = [];
      });
  };
  clear.onclick = () =>
    void change(async (task) => {
      for (const { label } of labels) await task.remove({ label });
      examples = [];
    });

  return {
    get isReady() {
      return picker.task !== undefined;
    },
    get device() {
      return picker.task && deviceText(picker.task.device);
    },
    enter: () => picker.ensure(),
    async look({ picture }) {
      const started = performance.now();
      const found = await picker.task!(picture);
      const milliseconds = performance.now() - started;
      return { milliseconds, show: () => draw(found) };
    },
    useModel: (files, name) => void picker.use(files, name),
    async measure(choice, picture, signal) {
      const task = await picker.loadOn(choice, signal);
      return { device: deviceText(task.device), times: await timeRuns(task, () => task(picture), signal) };
    },
  };
}
