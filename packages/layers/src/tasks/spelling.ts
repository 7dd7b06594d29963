/** How many single-letter changes lead from one text to the other (Levenshtein's distance). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++)
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[to.length];
}

/** The known name that `text` was probably meant to be; undefined when none is near. */
export function nearest(text: string, known: readonly string[]): string | undefined {
  const lower = text.slice(0, 100).toLowerCase();
  const [best] = known
    .map((name) => ({ name, steps: distance(lower, name.toLowerCase()) }))
    .sort((a, b) => a.steps - b.steps);
  return best !== undefined && best.steps <= Math.max(2, Math.floor(lower.length / 3))
    ? best.name
    : undefined;
}

/** `; did you mean topK? There are topK, threshold`, the end of an error about a name that is none. */
export function suggestion(text: string, known: readonly string[]): string {
  const near = nearest(text, known);
  const hint = near === undefined ? "" : `did you mean ${near}? `;
  return `; ${hint}${known.length === 0 ? "there are none" : `there ${known.length === 1 ? "is" : "are"} ${known.join(", ")}`}`;
}
