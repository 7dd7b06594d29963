import { isAiError } from "@ai/tensor";
import { byId, make } from "./page.js";

/** An error for people: what happened and what to do. */
export interface Sentence {
  readonly text: string;
  /** The error's own words, for who wants them. */
  readonly detail?: string;
}

/** Whether work was ended on purpose. */
export const isAbort = (error: unknown): boolean =>
  typeof error === "object" && error !== null && (error as Error).name === "AbortError";

const CAMERA: Readonly<Record<string, string>> = {
  NotAllowedError:
    "This page may not use the camera. Allow it beside the browser's address bar, then press Camera again.",
  NotFoundError: "No camera was found. Connect one and press Camera again, or choose a picture.",
  NotReadableError: "The camera is in use by another program. Close that one, then press Camera again.",
  OverconstrainedError: "The camera has no picture that this page can take. Try another one.",
};

/** Why the camera did not start. */
export function cameraSentence(error: unknown): Sentence {
  const known = CAMERA[(error as Error | undefined)?.name ?? ""];
  return known === undefined
    ? { text: "The camera did not start. Choose a picture instead.", detail: String(error) }
    : { text: known };
}

function downloadSentence(message: string, status: number | undefined): string {
  if (status === 401 || status === 403)
    return "This model may not be read without signing in, or does not exist. Check its name, or choose a public one.";
  if (status === 404)
    return "There is no such model, or it lacks a file that is needed. Check the name: owner/name, as on huggingface.co.";
  if (status !== undefined && status >= 500)
    return "The server that has the model does not answer well at the moment. Try again in a minute.";
  if (/checksum|expected .* bytes/.test(message))
    return "The model arrived damaged. Press Load to download it again.";
  return "The model could not be downloaded. Check the connection and press Load again; models of ours work without one.";
}

/** What an error means for who uses the page. */
export function sentenceOf(error: unknown): Sentence {
  const detail = error instanceof Error ? error.message : String(error);
  if (!isAiError(error))
    return { text: "Something went wrong that this page did not expect. Reload it and try again.", detail };
  const { name, message } = error;
  switch (name) {
    case "DownloadError":
      return { text: downloadSentence(message, (error as { status?: number }).status), detail };
    case "DeviceError":
      return {
        text: /worker/.test(message)
          ? "The model's worker has ended. Press Load to start it again."
          : "This device cannot compute here. Choose another one under “Compute on”.",
        detail,
      };
    case "WeightsError":
      return {
        text: "These weights do not belong to this kind of model, or are damaged. Choose another model.",
        detail,
      };
    case "KernelError":
      return { text: "The device failed while it computed. Choose another one under “Compute on”.", detail };
    default:
      return { text: inputSentence(message), detail };
  }
}

function inputSentence(message: string): string {
  if (/^load\w+: expected a model, got/.test(message))
    return "There is no model of that name. Type a name of ours, or owner/name as on huggingface.co.";
  if (/architectures|model_type/.test(message))
    return "This kind of model is not supported here. Choose another one, such as microsoft/resnet-18.";
  if (/config\.json|\.safetensors|weights/.test(message))
    return "A model's folder needs config.json and model.safetensors. Drop the whole folder.";
  if (/picture|image|JPEG|PNG|WebP|GIF/i.test(message))
    return "This is no picture that can be read. Choose a JPEG, PNG, WebP or GIF file.";
  return "That does not work with this model. The details say why.";
}

/** Shows a sentence above the work until it is closed or the next one comes. */
export function showSentence({ text, detail }: Sentence): void {
  const close = make("button", "close", "Close");
  close.type = "button";
  const notice = make("div", "notice", make("p", "", text));
  if (detail !== undefined && detail !== text)
    notice.append(make("details", "", make("summary", "", "Details"), make("code", "", detail)));
  notice.append(close);
  close.onclick = () => notice.remove();
  byId("notices").replaceChildren(notice);
}

/** Takes the sentence away that is shown. */
export function clearSentence(): void {
  byId("notices").replaceChildren();
}

/** Shows what went wrong, unless it was ended on purpose. */
export function showError(error: unknown): void {
  if (!isAbort(error)) showSentence(sentenceOf(error));
}
