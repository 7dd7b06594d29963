import { Camera } from "./camera.js";
import { DeviceSwitch } from "./devices.js";
import { droppedOf } from "./dropped-files.js";
import { Explainer } from "./explainer.js";
import { Looking } from "./looking.js";
import { Newest } from "./newest.js";
import { byId, download } from "./page.js";
import { readFile } from "./reader.js";
import { showSamples } from "./samples.js";
import { cameraSentence, clearSentence, isAbort, showError, showSentence } from "./sentences.js";
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
const pictures = new Newest();

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

/** Looks at a picture once it is there and read, unless another one was asked for meanwhile. */
async function usePicture(name: string, open: () => Blob | Promise<Blob>): Promise<void> {
  try {
    stopCamera();
    const shot = await pictures.of(async () => readFile(await open(), name));
    if (shot === undefined) return;
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
  pictures.forget();
  try {
    await camera.start(stopCamera);
    clearSentence();
    byId("camera").setAttribute("aria-pressed", "true");
    byId("camera").textContent = "Hold this picture";
    looking.follow(() => camera.shoot());
  } catch (error) {
    if (isAbort(error)) return; // stopped, or started once more, meanwhile
    stopCamera();
    showSentence(cameraSentence(error));
  }
}

byId("camera").onclick = () => (camera.isOn ? stopCamera() : void startCamera());
const file = byId<HTMLInputElement>("file");
file.onchange = () => {
  const chosen = file.files?.[0];
  file.value = ""; // the same file may be chosen again
  if (chosen !== undefined) void usePicture(chosen.name, () => chosen);
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
  if (dropped?.kind === "picture") await usePicture(dropped.file.name, () => dropped.file);
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

showSamples(usePicture);
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
document.body.inert = false;
