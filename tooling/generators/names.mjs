/** `RMSNorm`, `rms-norm` and `rmsNorm` in the three spellings that files, classes and functions have. */
export function namesOf(given) {
  if (!/^[A-Za-z][A-Za-z0-9]*(-[a-z0-9]+)*$/.test(given))
    throw new Error(`new: expected a name like rms-norm or RMSNorm, got ${JSON.stringify(given)}`);
  const kebab = given
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .toLowerCase();
  const words = kebab.split("-");
  const capitalised = words.map((word) => word[0].toUpperCase() + word.slice(1)).join("");
  const pascal = /^[A-Z]/.test(given) ? given : capitalised;
  return { kebab, pascal, camel: words[0] + capitalised.slice(words[0].length), title: words.join(" ") };
}
