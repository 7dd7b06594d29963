import { describeDevice, setThreads, useDevice } from "@ai/tensor";

await useDevice("wasm"); // as many threads as there are cores, at most 8
await setThreads(1); // leave the other cores to the rest of the program
console.log(describeDevice().threads);
