import { applyLora, Linear, quantizeModel, ReLU, Sequential, writeAdapter, writeQuantized } from "@ai/layers";
import { makePruningPermanent, pruneWeights, sparsityReport } from "@ai/layers/training";
import { useDevice } from "@ai/tensor";

await useDevice("wasm");
const build = () => new Sequential(new Linear(256, 512), new ReLU(), new Linear(512, 10));

// fine-tune: train 3 % of the numbers, store them as Hugging Face's PEFT does
const tuned = build();
for (const { path, trainable, frozen } of applyLora(tuned, {
  targetModules: "all-linear",
  rank: 4,
  alpha: 8,
}))
  console.log(`layer ${path}: ${trainable} trained, ${frozen} frozen`);
// … new Trainer({ model: tuned, … }).fit(loader, { epochs: 3 }) …
console.log([...(await writeAdapter(tuned)).keys()]); // saveAdapter(folder, tuned) writes them

// prune: the zeros stay, whatever optimizer trains on
const pruned = build();
await pruneWeights(pruned, { amount: 0.9, scope: "global" });
makePruningPermanent(pruned);
const { zeros, numbers } = await sparsityReport(pruned);
console.log(`${zeros} of ${numbers} are 0`);

// quantize: 4 bits a weight, in memory and in the file
const small = build();
const before = (await writeQuantized(small)).length;
quantizeModel(small, { bits: 4, groupSize: 64 });
console.log(`${(before / (await writeQuantized(small)).length).toFixed(1)} times smaller`);
