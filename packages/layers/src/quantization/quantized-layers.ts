import {
  conv2d,
  dequantizeWeight,
  dispose,
  gather,
  InputError,
  noGrad,
  pad,
  type QuantizedWeight,
  type QuantizeOptions,
  quantizedLinear,
  quantizeWeight,
  reshape,
  ShapeError,
  type Tensor,
  tidy,
  transpose,
  zeros,
} from "@ai/tensor";
import { assertIntegers, assertShape, assertTensor, formatShape } from "../checks.js";
import { Conv2d } from "../conv.js";
import { Embedding } from "../embedding.js";
import { constant } from "../initializers.js";
import { Linear } from "../linear.js";
import { type AnyModule, Module } from "../module.js";
import { Parameter, StateTensor } from "../parameter.js";
import { assertOptionNames } from "../training/option-names.js";

/** Layers that have a quantized form. */
export type QuantizableLayer = Linear | Conv2d | Embedding;

/**
 * A layer whose weight has 8 or 4 bits a number, `(number − zero point) · scale` of its row and group; it is constant,
 * its bias is not. It computes in float32. A new one holds zeros: {@link quantizeModel} and {@link loadQuantized} make them.
 *
 * State: `weight` (the numbers as words, see `QuantizedWeight.values`), `weight_scale`, and `weight_zero_point` when it
 * is not symmetric.
 */
export abstract class QuantizedLayer extends Module<[x: Tensor], Tensor> {
  static override readonly checkpointNames: Readonly<Record<string, string>> = {
    values: "weight",
    scales: "weight_scale",
    zeroPoints: "weight_zero_point",
  };
  readonly bits: 8 | 4;
  /** Numbers of a row that share a scale. */
  readonly groupSize: number;
  readonly symmetric: boolean;
  /** Rows and columns of the weight as a matrix: `[outputs, inputs of each]`. */
  readonly matrixShape: readonly [rows: number, columns: number];
  readonly values: StateTensor;
  readonly scales: StateTensor;
  readonly zeroPoints: StateTensor | undefined;

  constructor(matrixShape: readonly [rows: number, columns: number], options: QuantizeOptions) {
    super();
    const [rows, columns] = matrixShape;
    // a weight of zeros says how large its parts are, and checks the options
    const empty = tidy(() => quantizeWeight(zeros([1, columns]), options));
    const { bits, groupSize, values, scales } = empty;
    this.bits = bits;
    this.groupSize = groupSize;
    this.symmetric = options.symmetric ?? true;
    this.matrixShape = [rows, columns];
    const stored = (length: number | undefined, dtype: "int32" | "float32", value: number): StateTensor =>
      new StateTensor([rows, length ?? 0], { dtype, initializer: (shape) => zeros(shape, dtype, value) });
    // 4-bit numbers are stored plus 8: eight of them a word
    this.values = stored(values.shape[1], "int32", bits === 4 ? 0x88888888 | 0 : 0);
    this.scales = stored(scales.shape[1], "float32", 1);
    this.zeroPoints = this.symmetric ? undefined : stored(scales.shape[1], "int32", 0);
    dispose([empty.values, empty.scales, empty.zeroPoints]);
  }

  /** The weight as `quantizedLinear` takes it; its tensors stay this layer's. */
  quantizedWeight(): QuantizedWeight {
    return {
      values: this.values.value,
      scales: this.scales.value,
      zeroPoints: this.zeroPoints?.value,
      bits: this.bits,
      groupSize: this.groupSize,
      shape: this.matrixShape,
    };
  }

  /** Bytes of the weight with its scales and zero points. */
  get weightBytes(): number {
    const parts = [this.values, this.scales, ...(this.zeroPoints === undefined ? [] : [this.zeroPoints])];
    return parts.reduce((total, { shape }) => total + 4 * shape[0] * shape[1], 0);
  }

  /** Rounds a weight into this layer. @param weight `[rows, columns]`, see {@link matrixShape} */
  setWeight(weight: Tensor): void {
    const { bits, groupSize, symmetric } = this;
    const { values, scales, zeroPoints } = noGrad(() =>
      quantizeWeight(weight, { bits, groupSize, symmetric }),
    );
    this.values.setValue(values);
    this.scales.setValue(scales);
    if (zeroPoints !== undefined) this.zeroPoints?.setValue(zeroPoints);
  }
}

/**
 * {@link Linear} with a weight of 8 or 4 bits; on `wasm` few rows read it in place, without a float32 copy.
 * @example
 * const small = QuantizedLinear.from(layer, { bits: 4, groupSize: 64 });
 */
export class QuantizedLinear extends QuantizedLayer {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: Parameter | undefined;

  /** @throws InputError for sizes below 1 or wrong options. */
  constructor(
    inFeatures: number,
    outFeatures: number,
    options: QuantizeOptions & { readonly bias?: boolean } = {},
  ) {
    assertOptionNames(new.target.name, options, ["bias", "bits", "groupSize", "symmetric"]);
    assertIntegers("QuantizedLinear", { inFeatures, outFeatures });
    const { bias = true, ...others } = options;
    super([outFeatures, inFeatures], others);
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.bias = bias ? new Parameter([outFeatures], { initializer: constant(0) }) : undefined;
  }

  /** The quantized form of a layer, which stays as it is; the bias is not copied. */
  static from(layer: Linear, options: QuantizeOptions = {}): QuantizedLinear {
    assertOptionNames("QuantizedLinear.from", options, ["bits", "groupSize", "symmetric"]);
    const { inFeatures, outFeatures, bias } = layer;
    const made = new QuantizedLinear(inFeatures, outFeatures, { ...options, bias: bias !== undefined });
    made.setWeight(weightOf(layer));
    return made;
  }

  /**
   * @param x `[..., inFeatures]`
   * @returns `[..., outFeatures]`
   * @throws ShapeError when the last axis has another size.
   */
  protected forward(x: Tensor): Tensor {
    assertTensor(x);
    if (x.shape.at(-1) !== this.inFeatures)
      throw new ShapeError(`expected an input [..., ${this.inFeatures}], got ${formatShape(x.shape)}`);
    return quantizedLinear(
      x,
      this.quantizedWeight(),
      this.bias === undefined ? {} : { bias: this.bias.value },
    );
  }

  override multiplyAdds(_inputs: [x: Tensor], output: Tensor): number {
    return output.size * this.inFeatures;
  }
}

/** {@link Conv2d} whose weight is kept in 8 or 4 bits, rows in PyTorch's order `[outChannels, inChannels · height · width]`, and made float32 for each call. */
export class QuantizedConv2d extends QuantizedLayer {
  /** Sizes and options, without weights. */
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly bias: Parameter | undefined;
  readonly #padding: Conv2d["padding"];
  readonly #paddingMode: Conv2d["paddingMode"];

  /** @param like Sizes and options are those of this layer, which stays as it is. */
  constructor(like: Conv2d, options: QuantizeOptions = {}) {
    const { inChannels, outChannels, groups, kernelSize } = like;
    super([outChannels, kernelSize.reduce((total, cells) => total * cells, inChannels / groups)], options);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernelSize;
    this.stride = like.stride;
    this.dilation = like.dilation;
    this.groups = groups;
    this.#padding = like.padding;
    this.#paddingMode = like.paddingMode;
    this.bias =
      like.bias === undefined ? undefined : new Parameter([outChannels], { initializer: constant(0) });
  }

  /** The quantized form of a layer, which stays as it is; the bias is not copied. */
  static from(layer: Conv2d, options: QuantizeOptions = {}): QuantizedConv2d {
    const made = new QuantizedConv2d(layer, options);
    const matrix = tidy(() => reshape(transpose(weightOf(layer), [3, 2, 0, 1]), [...made.matrixShape]));
    made.setWeight(matrix);
    matrix.dispose();
    return made;
  }

  /**
   * @param x `[batch, height, width, inChannels]`
   * @returns `[batch, outHeight, outWidth, outChannels]`
   * @throws ShapeError for another rank or number of channels.
   */
  protected forward(x: Tensor): Tensor {
    assertShape(x, ["batch", "height", "width", "channels"], this.inChannels, "; images are channels-last");
    const { stride, dilation, groups, outChannels, inChannels, kernelSize } = this;
    const stored = reshape(dequantizeWeight(this.quantizedWeight()), [
      outChannels,
      inChannels / groups,
      ...kernelSize,
    ]);
    const weight = transpose(stored, [2, 3, 1, 0]); // [kernelHeight, kernelWidth, inChannels / groups, outChannels]
    const options = { stride, dilation, groups, bias: this.bias?.value };
    if (this.#paddingMode === "zeros") return conv2d(x, weight, { ...options, padding: this.#padding });
    return conv2d(pad(x, [[0, 0], ...this.#padding, [0, 0]], { mode: this.#paddingMode }), weight, options);
  }

  override multiplyAdds(_inputs: [x: Tensor], output: Tensor): number {
    return output.size * this.matrixShape[1];
  }
}

/** {@link Embedding} whose table has 8 or 4 bits a number: only the rows that are asked for become float32. */
export class QuantizedEmbedding extends QuantizedLayer {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;

  /** @throws InputError for sizes below 1 or wrong options. */
  constructor(numEmbeddings: number, embeddingDim: number, options: QuantizeOptions = {}) {
    assertIntegers("QuantizedEmbedding", { numEmbeddings, embeddingDim });
    super([numEmbeddings, embeddingDim], options);
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
  }

  /** The quantized form of a table, which stays as it is. */
  static from(layer: Embedding, options: QuantizeOptions = {}): QuantizedEmbedding {
    const made = new QuantizedEmbedding(layer.numEmbeddings, layer.embeddingDim, options);
    made.setWeight(weightOf(layer));
    return made;
  }

  /**
   * @param ids `[...]` int32 in [0, numEmbeddings)
   * @returns `[..., embeddingDim]`
   * @throws InputError when the ids are not int32; KernelError for an id outside the table.
   */
  protected forward(ids: Tensor): Tensor {
    assertTensor(ids, "ids");
    if (ids.dtype !== "int32") throw new InputError(`expected int32 ids, got ${ids.dtype}; cast them first`);
    const shape = [...ids.shape, this.embeddingDim];
    if (ids.size === 0) return zeros(shape);
    const flat = reshape(ids, [ids.size]);
    const { values, scales, zeroPoints, ...rest } = this.quantizedWeight();
    const rows = dequantizeWeight({
      ...rest,
      values: gather(values, flat),
      scales: gather(scales, flat),
      zeroPoints: zeroPoints === undefined ? undefined : gather(zeroPoints, flat),
      shape: [ids.size, this.embeddingDim],
    });
    return reshape(rows, shape); // [..., embeddingDim]
  }
}

/** A layer's weight, drawn when it has none yet. */
function weightOf(layer: QuantizableLayer): Tensor {
  layer.parameters();
  return layer.weight.value;
}

/** Whether a layer has a quantized form. */
export function isQuantizable(module: AnyModule): boolean {
  return module instanceof Linear || module instanceof Conv2d || module instanceof Embedding;
}

/** A layer's quantized form without its weight. */
export function emptyLike(layer: QuantizableLayer, options: QuantizeOptions): QuantizedLayer {
  if (layer instanceof Conv2d) return new QuantizedConv2d(layer, options);
  if (layer instanceof Embedding)
    return new QuantizedEmbedding(layer.numEmbeddings, layer.embeddingDim, options);
  return new QuantizedLinear(layer.inFeatures, layer.outFeatures, {
    ...options,
    bias: layer.bias !== undefined,
  });
}

/** A layer's quantized form. */
export function quantizedFrom(layer: QuantizableLayer, options: QuantizeOptions): QuantizedLayer {
  if (layer instanceof Conv2d) return QuantizedConv2d.from(layer, options);
  if (layer instanceof Embedding) return QuantizedEmbedding.from(layer, options);
  return QuantizedLinear.from(layer, options);
}
