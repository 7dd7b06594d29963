import { serveTasks } from "@ai/layers/tasks";

// no top-level await: bundlers may make a classic script of it
void serveTasks({
  "image-classification": async () => (await import("./image-classification.js")).imageClassification,
  "object-detection": async () => (await import("./object-detection.js")).objectDetection,
  "image-to-text": async () => (await import("./text-recognition.js")).textRecognition,
  "image-feature-extraction": async () => (await import("./image-embedding.js")).imageEmbedding,
  "instance-recognition": async () => (await import("./image-recognition.js")).instanceRecognition,
});
