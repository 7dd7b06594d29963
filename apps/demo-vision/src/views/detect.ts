import { type Detection, loadObjectDetector } from "@ai/vision";
import { deviceText } from "../devices.js";
import { ModelPicker } from "../model-picker.js";
import { byId, make, percent } from "../page.js";
import { timeRuns, type View, type ViewContext } from "./view.js";

const MODELS = ["bccd-cells", "facebook/detr-resnet-50"];
/** Boxes in the list beside the picture. */
const LISTED = 30;

/** Counts by label, the most first: `12 red cells, 1 platelet` without the grammar. */
function countText(found: readonly Detection[]): string {
  if (found.length === 0) return "Nothing that it is this sure of.";
  const counts = new Map<string, number>();
  for (const { label } of found) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([label, count]) => `${count} × ${label}`)
    .join(", ");
}

/** Where things are in a picture. */
export function detectView({ stage, devices, explainer, lookAgain, shot, hold }: ViewContext): View {
  const list = byId("found");
  const threshold = byId<HTMLInputElement>("threshold");
  /** Every box of the last picture, also those that are not shown. */
  let all: readonly Detection[] = [];
  const picker = new ModelPicker(devices, {
    name: "detect",
    models: MODELS,
    load: loadObjectDetector,
    describe: ({ info: { architecture, labels } }) =>
      `${architecture} finds ${labels.length} kinds of things.`,
    onLoaded: lookAgain,
  });
  function explain(detection: Detection, row: HTMLElement): void {
    const { task } = picker;
    hold(); // an explanation is of one picture
    const seen = shot();
    if (task === undefined || seen === undefined) return;
    void explainer.show(
      detection.label,
      (request) => task.explain(seen.picture, detection, request),
      () => row.setAttribute("aria-pressed", "false"),
    );
    row.setAttribute("aria-pressed", "true");
  }

  const least = (): number => Number(threshold.value) / 100;

  function draw(): void {
    const found = all.filter(({ score }) => score >= least());
    stage.showBoxes(found);
    const words = countText(found);
    if (byId("found-count").textContent !== words) byId("found-count").textContent = words;
    list.replaceChildren(
      ...found.slice(0, LISTED).map((detection, index) => {
        const { label, score } = detection;
        const name = make("span", "name", label);
        const row = make("button", "class found", name, make("span", "share", percent(score)));
        row.type = "button";
        row.dataset.color = String(stage.colorOf(label));
        row.setAttribute("aria-pressed", "false");
        row.style.setProperty("--share", String(score));
        row.onpointerenter = row.onfocus = () => stage.markBox(index);
        row.onpointerleave = row.onblur = () => stage.markBox(-1);
        row.onclick = () => (row.ariaPressed === "true" ? explainer.hide() : explain(detection, row));
        return make("li", "", row);
      }),
    );
  }

  threshold.oninput = () => {
    byId("threshold-value").textContent = `${threshold.value} %`;
    draw();
  };

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
      // all that the slider may ask for
      const found = await picker.task!(picture, { threshold: Number(threshold.min) / 100 });
      const milliseconds = performance.now() - started;
      const show = (): void => {
        all = found;
        draw();
      };
      return { milliseconds, show };
    },
    useModel: (files, name) => void picker.use(files, name),
    async measure(choice, picture, signal) {
      const task = await picker.loadOn(choice, signal);
      return { device: deviceText(task.device), times: await timeRuns(task, () => task(picture), signal) };
    },
  };
}
