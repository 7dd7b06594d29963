import type { ImageExplanationMethod } from "@ai/vision";
import { byId } from "./page.js";
import { isAbort, showError } from "./sentences.js";
import type { Stage } from "./stage.js";

/** An explanation, as far as it is drawn. */
interface Relevance {
  readonly method: string;
  readonly relevance: Float32Array;
  readonly width: number;
  readonly height: number;
}

/** How an explanation is asked for. */
export interface ExplainRequest {
  readonly signal: AbortSignal;
  readonly method?: ImageExplanationMethod;
  readonly onProgress: (progress: { readonly done: number; readonly total?: number }) => void;
}

/** Asks a model why, and lays the answer over the picture. */
export class Explainer {
  readonly #stage: Stage;
  readonly #panel = byId("explain");
  readonly #words = byId("explanation");
  readonly #method = byId<HTMLSelectElement>("method");
  readonly #opacity = byId<HTMLInputElement>("opacity");
  #asked: { readonly label: string; explain(request: ExplainRequest): Promise<Relevance> } | undefined;
  #work: AbortController | undefined;
  #onHide: () => void = () => undefined;

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#opacity.oninput = () => this.#setOpacity();
    this.#method.onchange = () => void this.#ask();
    byId("explain-close").onclick = () => this.hide();
    this.#setOpacity();
  }

  /**
   * Explains one answer in place of the one before.
   * @param onHide Called when the explanation goes.
   */
  show(
    label: string,
    explain: (request: ExplainRequest) => Promise<Relevance>,
    onHide: () => void,
  ): Promise<void> {
    this.hide();
    this.#asked = { label, explain };
    this.#onHide = onHide;
    this.#panel.hidden = false;
    return this.#ask();
  }

  /** Takes it away, also one that is still computed. */
  hide(): void {
    this.#work?.abort();
    this.#work = undefined;
    if (this.#asked === undefined) return;
    this.#asked = undefined;
    this.#panel.hidden = true;
    this.#stage.hideRelevance();
    this.#onHide();
  }

  async #ask(): Promise<void> {
    const asked = this.#asked;
    if (asked === undefined) return;
    this.#work?.abort();
    const work = new AbortController();
    this.#work = work;
    this.#words.textContent = `Asking what speaks for “${asked.label}” …`;
    const { value } = this.#method;
    try {
      const found = await asked.explain({
        signal: work.signal,
        ...(value === "" ? {} : { method: value as ImageExplanationMethod }),
        onProgress: ({ done, total }) => {
          if (total !== undefined && total > 1) this.#words.textContent = `Step ${done} of ${total} …`;
        },
      });
      if (this.#work !== work) return;
      this.#stage.showRelevance(found);
      this.#words.textContent = `What speaks for “${asked.label}”, by ${found.method.replaceAll("-", " ")}.`;
    } catch (error) {
      if (isAbort(error) || this.#work !== work) return;
      this.hide();
      showError(error);
    }
  }

  #setOpacity(): void {
    this.#stage.setOpacity(Number(this.#opacity.value) / 100);
  }
}
