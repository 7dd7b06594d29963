/**
 * Where the files of our own models lie: `pretrained/` of this package, beside `src` and `dist`. This module stays at the
 * root of both, so that the same relative addresses hold in the source, the build, and the bundles for pages and workers.
 * Bundlers find files by whole `new URL("…", import.meta.url)` expressions: none of them may be put together.
 */

/** A model's files by path, none of which is read before it is needed. */
export type OwnModelFiles = Readonly<Record<string, URL>>;

/** `cifar10-small`, a classifier. */
export const cifar10Small = (): OwnModelFiles => ({
  "config.json": new URL("../pretrained/cifar10-small/config.json", import.meta.url),
  "preprocessor_config.json": new URL(
    "../pretrained/cifar10-small/preprocessor_config.json",
    import.meta.url,
  ),
  "model.safetensors": new URL("../pretrained/cifar10-small/model.safetensors", import.meta.url),
});

/** `mnist-digits`, a classifier. */
export const mnistDigits = (): OwnModelFiles => ({
  "config.json": new URL("../pretrained/mnist-digits/config.json", import.meta.url),
  "preprocessor_config.json": new URL("../pretrained/mnist-digits/preprocessor_config.json", import.meta.url),
  "model.safetensors": new URL("../pretrained/mnist-digits/model.safetensors", import.meta.url),
});

/** `bccd-cells`, a detector. */
export const bccdCells = (): OwnModelFiles => ({
  "config.json": new URL("../pretrained/bccd-cells/config.json", import.meta.url),
  "preprocessor_config.json": new URL("../pretrained/bccd-cells/preprocessor_config.json", import.meta.url),
  "model.safetensors": new URL("../pretrained/bccd-cells/model.safetensors", import.meta.url),
});
