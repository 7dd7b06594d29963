/** The value below which a share of the sorted values lies, interpolated. */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const lower = Math.floor(position);
  const upper = Math.ceil(position);
  return sorted[lower] + (sorted[upper] - sorted[lower]) * (position - lower);
}

export const median = (values) => quantile(values, 0.5);

const rounded = (value) => Number(value.toPrecision(4));

/**
 * One row of the result. Times are milliseconds; round `i` of both lists was measured back to back; `theirs` may end earlier.
 * `ratio` above 1 means that we are faster; `spread` is the interquartile range of the rounds' ratios over their median.
 */
export function toRow({ workload, device, threads, peer }, ours, theirs) {
  const ratios = theirs.map((time, round) => time / ours[round]);
  const ratio = median(ratios);
  return {
    workload,
    device,
    threads,
    peer,
    ours: rounded(median(ours)),
    theirs: rounded(median(theirs)),
    unit: "ms",
    ratio: rounded(ratio),
    spread: rounded((quantile(ratios, 0.75) - quantile(ratios, 0.25)) / ratio),
  };
}
