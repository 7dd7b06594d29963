import { InputError } from "@ai/tensor";
import { assertOneOf } from "../checks.js";

/** Which tags and pairs of tags may occur. */
export interface TagConstraints {
  /** Whether a tag (row) may be followed by another (column), `[tags][tags]`. */
  readonly transitions: readonly (readonly boolean[])[];
  /** Whether a sequence may begin with a tag, `[tags]`. */
  readonly start: readonly boolean[];
  /** Whether a sequence may end with a tag, `[tags]`. */
  readonly end: readonly boolean[];
}

/** How labels such as `B-PER` mark spans: `IOB1` begins a span with B only right behind another of its type. */
export type TagScheme = "IOB1" | "BIO" | "BIOES" | "BILOU";

/** A label's part in a span, in the letters of BIOES. */
type Position = "B" | "I" | "O" | "E" | "S";

const LETTERS: Readonly<Record<TagScheme, Readonly<Record<string, Position>>>> = {
  IOB1: { B: "B", I: "I", O: "O" },
  BIO: { B: "B", I: "I", O: "O" },
  BIOES: { B: "B", I: "I", O: "O", E: "E", S: "S" },
  BILOU: { B: "B", I: "I", O: "O", L: "E", U: "S" },
};

interface Tag {
  readonly position: Position;
  readonly type: string;
}

function parseLabel(label: string, scheme: TagScheme): Tag {
  const [, letter, type] = /^([A-Z])(?:-(.+))?$/.exec(label) ?? [];
  const position = letter === undefined ? undefined : LETTERS[scheme][letter];
  if (position === undefined || (position === "O") !== (type === undefined))
    throw new InputError(
      `tagConstraints: expected labels of the scheme ${scheme}, O or ${Object.keys(LETTERS[scheme])
        .filter((each) => each !== "O")
        .map((each) => `${each}-TYPE`)
        .join(", ")}, got ${JSON.stringify(label)}`,
    );
  return { position, type: type ?? "" };
}

/** Whether `after` may follow `before`; undefined stands for the outside of the sequence. */
function mayFollow(before: Tag | undefined, after: Tag | undefined, scheme: TagScheme): boolean {
  const continues =
    (before?.position === "B" || before?.position === "I") &&
    (after?.position === "I" || after?.position === "E") &&
    before.type === after.type;
  if (scheme === "IOB1") {
    // I opens a span too, and B needs a span of its type to the left
    const opened = before?.position === "B" || before?.position === "I";
    return after?.position !== "B" || (opened && before.type === after.type);
  }
  if (scheme === "BIO") return after?.position !== "I" || continues;
  const isOpen = before?.position === "B" || before?.position === "I";
  const goesOn = after?.position === "I" || after?.position === "E";
  return isOpen || goesOn ? continues : true;
}

/**
 * The constraints of a way to mark spans: in BIO, `I-PER` only behind `B-PER` or `I-PER`; in BIOES and BILOU every span
 * that was begun is ended.
 * @param labels The tags in the order of their numbers, for example `["O", "B-PER", "I-PER"]`.
 * @throws InputError for a label that is none of the scheme, or another scheme.
 * @see Ramshaw, Marcus (1995), "Text chunking using transformation-based learning", https://arxiv.org/abs/cmp-lg/9505040
 * @example
 * const crf = new ConditionalRandomField(3, { constraints: tagConstraints(["O", "B-PER", "I-PER"], "BIO") });
 */
export function tagConstraints(labels: readonly string[], scheme: TagScheme): TagConstraints {
  assertOneOf("tagConstraints", "scheme", scheme, Object.keys(LETTERS));
  if (!Array.isArray(labels) || labels.length === 0)
    throw new InputError("tagConstraints: expected an array of at least one label, got none");
  const tags = labels.map((label: string) => parseLabel(label, scheme));
  return {
    transitions: tags.map((before) => tags.map((after) => mayFollow(before, after, scheme))),
    start: tags.map((tag) => mayFollow(undefined, tag, scheme)),
    end: tags.map((tag) => mayFollow(tag, undefined, scheme)),
  };
}

/** @throws InputError unless all three fit the number of tags and hold true or false. */
export function assertConstraints(layer: string, constraints: TagConstraints, numTags: number): void {
  const rows: readonly (readonly boolean[])[] = [
    ...(Array.isArray(constraints.transitions) ? constraints.transitions : []),
    constraints.start,
    constraints.end,
  ];
  const fits = (row: readonly boolean[]): boolean =>
    Array.isArray(row) && row.length === numTags && row.every((each) => typeof each === "boolean");
  if (rows.length !== numTags + 2 || !rows.every(fits))
    throw new InputError(
      `${layer}: expected constraints { transitions [${numTags}][${numTags}], start [${numTags}], end [${numTags}] } of booleans, ` +
        "got others; make them with tagConstraints()",
    );
}
