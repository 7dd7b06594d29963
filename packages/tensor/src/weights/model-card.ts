import { assertOptions } from "../arguments.js";
import { InputError } from "../errors.js";

/** What a model's page on the hub shows. */
export interface ModelCard {
  /** Heading of the page. */
  readonly title?: string;
  /** The page itself, in Markdown: data, score, command, limits. */
  readonly text?: string;
  /** An identifier of the hub, such as `apache-2.0`. */
  readonly license?: string;
  /** Codes such as `en`. */
  readonly language?: string | readonly string[];
  /** The task, such as `text-classification`. */
  readonly pipelineTag?: string;
  /** What opens the model, such as `transformers`. */
  readonly libraryName?: string;
  readonly tags?: readonly string[];
  /** Repository ids. */
  readonly datasets?: readonly string[];
  /** Identifiers such as `accuracy`. */
  readonly metrics?: readonly string[];
  /** Repository ids of what it was fine-tuned from. */
  readonly baseModel?: string | readonly string[];
}

/** Fields of the page's front matter, as the hub spells them. */
const FIELDS = {
  license: "license",
  language: "language",
  pipelineTag: "pipeline_tag",
  libraryName: "library_name",
  tags: "tags",
  datasets: "datasets",
  metrics: "metrics",
  baseModel: "base_model",
} as const;

/**
 * A model card as the text of `README.md`.
 * @throws InputError for a field that a card does not have, or that is no text.
 */
export function formatModelCard(operation: string, card: ModelCard): string {
  assertOptions(operation, card, ["title", "text", ...Object.keys(FIELDS)]);
  const lines: string[] = [];
  for (const [name, field] of Object.entries(FIELDS)) {
    const value = card[name as keyof typeof FIELDS];
    if (value === undefined) continue;
    const texts = Array.isArray(value) ? (value as readonly string[]) : [value];
    if (!texts.every((text) => typeof text === "string"))
      throw new InputError(
        `${operation}: expected text for ${name} of the card, got ${JSON.stringify(value)}`,
      );
    // JSON is YAML: quotes keep "no" a text
    lines.push(`${field}: ${JSON.stringify(value)}`);
  }
  const parts = [
    ...(lines.length === 0 ? [] : [`---\n${lines.join("\n")}\n---\n`]),
    ...(card.title === undefined ? [] : [`# ${card.title}\n`]),
    ...(card.text === undefined ? [] : [`${card.text.trimEnd()}\n`]),
  ];
  return parts.join("\n");
}
