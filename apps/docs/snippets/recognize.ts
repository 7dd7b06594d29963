import { loadImageRecognizer } from "@ai/vision";

/** A picture of 28 × 28 levels, white where `isInk` says so. */
const draw = (isInk: (x: number, y: number) => boolean) => {
  const data = Uint8Array.from({ length: 28 * 28 }, (_, at) =>
    isInk(at % 28, Math.floor(at / 28)) ? 255 : 0,
  );
  return { data, width: 28, height: 28, channels: 1 } as const;
};
const ring = (radius: number) => draw((x, y) => Math.abs(Math.hypot(x - 14, y - 14) - radius) < 2);
const cross = (arm: number) =>
  draw(
    (x, y) =>
      Math.min(Math.abs(x - 14), Math.abs(y - 14)) < 2 && Math.max(Math.abs(x - 14), Math.abs(y - 14)) < arm,
  );

const recognize = await loadImageRecognizer("mnist-digits"); // or "microsoft/resnet-18" …
await recognize.add({ label: "ring", pictures: [ring(6), ring(8), ring(10)] });
await recognize.add({ label: "cross", pictures: [cross(6), cross(8), cross(10)] });
const { accuracy } = await recognize.calibrate();
console.log(await recognize.labels(), accuracy);

for (const picture of [ring(7), cross(9), draw(() => true)]) console.log((await recognize(picture)).label);
const gallery = await recognize.toBytes(); // or recognize.save("shapes.safetensors") in Node
await recognize.dispose();
const again = await loadImageRecognizer("mnist-digits", { gallery });
console.log((await again(ring(9))).label);
await again.dispose();
