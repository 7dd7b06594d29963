import { type ImageClass, loadImageClassifier } from "@ai/vision";
import { deviceText } from "../devices.js";
import { ModelPicker } from "../model-picker.js";
import { byId, make, percent } from "../page.js";
import { timeRuns, type View, type ViewContext } from "./view.js";

const MODELS = [
  "cifar10-small",
  "mnist-digits",
  "microsoft/resnet-18",
  "google/mobilenet_v2_1.0_224",
  "facebook/deit-tiny-patch16-224",
  "facebook/convnext-tiny-224",
];

/** What a picture shows, and which parts of it say so. */
export function classifyView({ devices, explainer, lookAgain, shot, hold }: ViewContext): View {
  const list = byId("classes");
  /** The class that is explained. */
  let explained: number | undefined;
  const picker = new ModelPicker(devices, {
    name: "classify",
    models: MODELS,
    load: loadImageClassifier,
    describe: ({ info: { architecture, labels } }) => `${architecture} knows ${labels.length} classes.`,
    onLoaded: lookAgain,
  });

  function mark(index: number | undefined): void {
    explained = index;
    for (const row of list.querySelectorAll<HTMLElement>("[data-index]"))
      row.setAttribute("aria-pressed", String(row.dataset.index === String(index)));
  }

  function explain({ label, index }: ImageClass): void {
    const { task } = picker;
    hold(); // an explanation is of one picture
    const seen = shot();
    if (task === undefined || seen === undefined) return;
    void explainer.show(
      label,
      (request) => task.explain(seen.picture, index, request),
      () => mark(undefined),
    );
    mark(index);
  }

  function draw(classes: readonly ImageClass[]): void {
    const focused = (document.activeElement as HTMLElement | null)?.dataset.index;
    list.replaceChildren(
      ...classes.map((found) => {
        const { label, score, index } = found;
        const name = make("span", "name", label.split(",")[0]);
        const button = make("button", "class", name, make("span", "share", percent(score)));
        button.type = "button";
        button.dataset.index = String(index);
        button.setAttribute("aria-pressed", "false");
        button.style.setProperty("--share", String(score));
        button.onclick = () => (explained === index ? explainer.hide() : explain(found));
        return make("li", "", button);
      }),
    );
    if (focused !== undefined) list.querySelector<HTMLElement>(`[data-index="${focused}"]`)?.focus();
  }

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
      const classes = await picker.task!(picture, { topK: 5 });
      const milliseconds = performance.now() - started;
      return { milliseconds, show: () => draw(classes) };
    },
    useModel: (files, name) => void picker.use(files, name),
    async measure(choice, picture, signal) {
      const task = await picker.loadOn(choice, signal);
      return { device: deviceText(task.device), times: await timeRuns(task, () => task(picture), signal) };
    },
  };
}
