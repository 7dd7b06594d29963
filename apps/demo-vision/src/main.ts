import { Camera } from "./camera.js";
import { DeviceSwitch } from "./devices.js";
import { droppedOf } from "./dropped-files.js";
import { Explainer } from "./explainer.js";
import { Looking } from "./looking.js";
import { byId, download } from "./page.js";
import { readFile } from "./reader.js";
import { showSamples } from "./samples.js";
import { cameraSentence, clearSentence, showError, showSentence } from "./sentences.js";
import { Stage } from "./stage.js";
import { startTabs } from "./tabs.js";
import { startTheme } from "./theme.js";
import { classifyView } from "./views/classify.js";
import { detectView } from "./views/detect.js";
import { teachView } from "./views/teach.js";
import type { View, ViewContext } from "./views/view.js";

startTheme();
const stage = new Stage();
const devices = await DeviceSwitch.find();
const explainer = new Explainer(stage);
const looking = new Looking(stage, explainer);
const camera = new Camera();

const context: ViewContext = {
  stage,
  devices,
  explainer,
  lookAgain: () => looking.again(),
  shot: () => looking.shot,
  hold: () => stopCamera(),
};
const views = new Map<string, View>();
const makers: Readonly<Record<string, (context: ViewContext) => View>> = {
  classify: classifyView,
  detect: detectView,
  teach: teachView,
};

async function useFile(file: Blob, name: string): Promise<void> {
  try {
    stopCamera();
    const shot = await readFile(file, name);
    clearSentence();
    looking.use(shot);
  } catch (error) {
    showError(error);
  }
}

function stopCamera(): void {
  camera.stop();
  looking.stop();
  byId("camera").setAttribute("aria-pressed", "false");
  byId("camera").textContent = "Camera";
}

async function startCamera(): Promise<void> {
  try {
    await camera.start(stopCamera);
    clearSentence();
    byId("camera").setAttribute("aria-pressed", "true");
    byId("camera").textContent = "Hold this picture";
    looking.follow(() => camera.shoot());
  } catch (error) {
    stopCamera();
    showSentence(cameraSentence(error));
  }
}

byId("camera").onclick = () => (camera.isOn ? stopCamera() : void startCamera());
const file = byId<HTMLInputElement>("file");
file.onchange = () => {
  const chosen = file.files?.[0];
  file.value = ""; // the same file may be chosen again
  if (chosen !== undefined) void useFile(chosen, chosen.name);
};
byId("save").onclick = async () => {
  try {
    const { shot } = looking;
    if (shot !== undefined) download(new Uint8Array(await stage.toPng(shot.picture)), "picture.png");
  } catch (error) {
    showError(error);
  }
};
byId("compare").onclick = () => void looking.compare(devices.compared);

async function take(data: DataTransfer | null): Promise<void> {
  const dropped = data === null ? undefined : await droppedOf(data);
  if (dropped?.kind === "picture") await useFile(dropped.file, dropped.file.name);
  if (dropped?.kind === "model") looking.view?.useModel(dropped.files, dropped.name);
}
addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dragging");
});
addEventListener("dragleave", ({ relatedTarget }) => {
  if (relatedTarget === null) document.body.classList.remove("dragging");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  void take(event.dataTransfer);
});
addEventListener("paste", ({ clipboardData }) => void take(clipboardData));

showSamples(useFile);
startTabs((name) => {
  clearSentence();
  const make = makers[name];
  byId("stage").hidden = byId("side").hidden = make === undefined;
  if (make === undefined) {
    stopCamera();
    looking.view = undefined;
    void import("./digits/train-view.js").then(({ startTraining }) => startTraining(devices));
    return;
  }
  const view = views.get(name) ?? make(context);
  views.set(name, view);
  looking.view = view;
  view.enter();
});
