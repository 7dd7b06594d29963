import type { Shape } from "../../shape.js";
import type { RenameRule } from "./rules.js";

/** Pairs that are compared at most: a report must not take longer than the reading. */
const MOST_COMPARED = 500_000;
const LEAST_LIKENESS = 0.5;

const words = (name: string): string[] => name.toLowerCase().split(/[._]/);

/** Shared words of two names over all of them, 0 to 1. */
function likeness(a: readonly string[], b: readonly string[]): number {
  const left = [...a];
  let common = 0;
  for (const word of b) {
    const at = left.indexOf(word);
    if (at < 0) continue;
    left.splice(at, 1);
    common++;
  }
  return (2 * common) / (a.length + b.length);
}

/** For each missing name the unused one most like it; an equal shape counts half as much as an equal name. */
export function similarNames(
  missing: readonly { readonly name: string; readonly shape: Shape }[],
  unused: readonly { readonly name: string; readonly shape: Shape }[],
): Map<string, string> {
  const found = new Map<string, string>();
  const candidates = unused.map(({ name, shape }) => ({ name, key: shape.join(), words: words(name) }));
  const most = Math.floor(MOST_COMPARED / Math.max(1, candidates.length));
  for (const { name, shape } of missing.slice(0, most)) {
    const own = words(name);
    let best = { score: 0, name: "" };
    for (const candidate of candidates) {
      const like = likeness(own, candidate.words);
      const score = like + (like > 0 && candidate.key === shape.join() ? 0.5 : 0);
      if (score > best.score) best = { score, name: candidate.name };
    }
    if (best.score >= LEAST_LIKENESS) found.set(name, best.name);
  }
  return found;
}

/** Prefixes of more segments than this are no prefixes that people give, and would take long. */
const MOST_SEGMENTS = 8;

/** Ends of a name that start behind a dot, with what stands before. */
function* tails(name: string): Generator<[before: string, tail: string]> {
  let dot = name.indexOf(".");
  for (let segment = 0; dot >= 0 && segment < MOST_SEGMENTS; segment++) {
    const before = name.slice(0, dot + 1);
    if (!/[{}]/.test(before)) yield [before, name.slice(dot + 1)];
    dot = name.indexOf(".", dot + 1);
  }
}

/** A rule that takes away or puts before names what at least half of the missing ones differ by. */
export function prefixRule(missing: readonly string[], unused: readonly string[]): RenameRule | undefined {
  const count = (longer: readonly string[], shorter: ReadonlySet<string>): Map<string, number> => {
    const counts = new Map<string, number>();
    for (const name of longer)
      for (const [before, tail] of tails(name))
        if (shorter.has(tail)) counts.set(before, (counts.get(before) ?? 0) + 1);
    return counts;
  };
  const best = (counts: ReadonlyMap<string, number>): [prefix: string, count: number] =>
    [...counts].reduce((most, pair) => (pair[1] > most[1] ? pair : most), ["", 0]);
  const [removed, removable] = best(count(unused, new Set(missing)));
  const [added, addable] = best(count(missing, new Set(unused)));
  if (Math.max(removable, addable) * 2 < Math.max(1, missing.length) || removed + added === "")
    return undefined;
  return removable >= addable
    ? { from: `${removed}{rest*}`, to: "{rest*}" }
    : { from: "{rest*}", to: `${added}{rest*}` };
}

const LETTERS = "abcdefgh";

/** How axes could move so that `actual` becomes `expected`; undefined when they cannot. */
export function rearrangementBetween(actual: Shape, expected: Shape): string | undefined {
  const kept = actual.flatMap((length, axis) => (length === 1 ? [] : [axis]));
  const wanted = expected.flatMap((length, axis) => (length === 1 ? [] : [axis]));
  if (kept.length !== wanted.length || kept.length > LETTERS.length) return undefined;
  const letter = new Map<number, string>();
  const free = new Set(kept);
  for (const axis of wanted) {
    const from = [...free].find((candidate) => actual[candidate] === expected[axis]);
    if (from === undefined) return undefined;
    free.delete(from);
    letter.set(axis, LETTERS[kept.indexOf(from)]);
  }
  const left = actual.map((length, axis) => (length === 1 ? "1" : LETTERS[kept.indexOf(axis)]));
  const right = expected.map((length, axis) => (length === 1 ? "1" : letter.get(axis)!));
  return `${left.join(" ")} -> ${right.join(" ")}`;
}
