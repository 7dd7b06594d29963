/** Vitest's global setup: one hub for all tests of a run, in Node and in browsers; `inject("hubUrl")` finds it. */
import { startHub } from "./hub.mjs";

export default async function setup(project) {
  const hub = await startHub();
  project.provide("hubUrl", hub.url);
  return () => hub.close();
}
