import {
  dequantizeWeight,
  gather,
  InputError,
  type QuantizeOptions,
  reshape,
  ShapeError,
  type Tensor,
  zeros,
} from "@ai/tensor";
import { assertIntegers, assertTensor, formatShape } from "../checks.js";
import { Embedding } from "../embedding.js";
import { fanInUniform, normal } from "../initializers.js";
import { Linear } from "../linear.js";
import { type AnyModule, Module } from "../module.js";
import { type Initializer, Parameter } from "../parameter.js";
import { assertOptionNames } from "../training/option-names.js";
import { QuantizedParameter } from "./quantized-parameter.js";

const OPTION_NAMES = ["bits", "groupSize", "symmetric?"] as const;

/**
 * A layer that reads a weight of 8 or 4 bits a number in place. The weight is constant, a bias is not. A new one holds
 * what the layer would, rounded: {@link quantizeModel} and {@link loadQuantized} make them.
 *
 * State: `weight` (the numbers as words, see `QuantizedWeight.values`), `weight_scale`, and `weight_zero_point` when it
 * is not symmetric.
 */
export abstract class QuantizedLayer extends Module<[x: Tensor], Tensor> {
  abstract readonly weight: QuantizedParameter;
}

/**
 * {@link Linear} with a weight of 8 or 4 bits; on `wasm` few rows read it in place, without a float32 copy.
 * @example
 * const small = QuantizedLinear.from(layer, { bits: 4, groupSize: 64 });
 */
export class QuantizedLinear extends QuantizedLayer {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly weight: QuantizedParameter;
  readonly bias: Parameter | undefined;

  /** @throws InputError for sizes below 1 or wrong options. */
  constructor(
    inFeatures: number,
    outFeatures: number,
    options: QuantizeOptions & { readonly bias?: boolean } = {},
  ) {
    super();
    assertOptionNames(new.target.name, options, ["bias?", ...OPTION_NAMES]);
    assertIntegers("QuantizedLinear", { inFeatures, outFeatures });
    const { bias = true, ...others } = options;
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    const initializer = fanInUniform(inFeatures);
    this.weight = matrixOf([outFeatures, inFeatures], { initializer, ...others });
    this.bias = bias ? new Parameter([outFeatures], { initializer }) : undefined;
  }

  /** The quantized form of a layer, which stays as it is; the bias is not copied. */
  static from(layer: Linear, options: QuantizeOptions = {}): QuantizedLinear {
    assertOptionNames("QuantizedLinear.from", options, OPTION_NAMES);
    const { inFeatures, outFeatures, bias } = layer;
    const made = new QuantizedLinear(inFeatures, outFeatures, { ...options, bias: bias !== undefined });
    layer.parameters();
    return Object.assign(made, {
      weight: QuantizedParameter.from(layer.weight, options),
      bias: bias && startingAs(bias),
    });
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
    return this.weight.linear(x, this.bias?.value);
  }

  override multiplyAdds(_inputs: [x: Tensor], output: Tensor): number {
    return output.size * this.inFeatures;
  }
}

/** {@link Embedding} whose table has 8 or 4 bits a number: only the rows that are asked for become float32. */
export class QuantizedEmbedding extends QuantizedLayer {
  readonly numEmbeddings: number;
  readonly embeddingDim: number;
  readonly weight: QuantizedParameter;

  /** @throws InputError for sizes below 1 or wrong options. */
  constructor(numEmbeddings: number, embeddingDim: number, options: QuantizeOptions = {}) {
    super();
    assertOptionNames(new.target.name, options, OPTION_NAMES);
    assertIntegers("QuantizedEmbedding", { numEmbeddings, embeddingDim });
    this.numEmbeddings = numEmbeddings;
    this.embeddingDim = embeddingDim;
    this.weight = matrixOf([numEmbeddings, embeddingDim], { initializer: normal(), ...options });
  }

  /** The quantized form of a table, which stays as it is. */
  static from(layer: Embedding, options: QuantizeOptions = {}): QuantizedEmbedding {
    const made = new QuantizedEmbedding(layer.numEmbeddings, layer.embeddingDim, options);
    layer.parameters();
    return Object.assign(made, { weight: QuantizedParameter.from(layer.weight, options) });
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
    const { values, scales, zeroPoints, ...rest } = this.weight.quantized();
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

/** A parameter that is initialized as another one; whoever exchanges the layers gives it the values. */
function startingAs({ shape, initializer }: Parameter): Parameter {
  return new Parameter(shape, { initializer });
}

function matrixOf(
  shape: readonly [rows: number, columns: number],
  { initializer, ...options }: QuantizeOptions & { readonly initializer: Initializer },
): QuantizedParameter {
  const like = { shape, dtype: "float32", checkpointPermutation: undefined, initializer } as const;
  return new QuantizedParameter(like, options);
}

/**
 * The layer that reads such a weight in place, for a layer that has one; undefined where the weight alone is exchanged. A
 * subclass has a `forward` of its own.
 */
export function layerAround(layer: AnyModule, weight: QuantizedParameter): QuantizedLayer | undefined {
  const { bits, groupSize, symmetric } = weight;
  const options = { bits, groupSize, symmetric };
  let made: QuantizedLayer;
  if (layer.constructor === Linear) {
    const { inFeatures, outFeatures, bias } = layer as unknown as Linear;
    made = new QuantizedLinear(inFeatures, outFeatures, { ...options, bias: bias !== undefined });
    Object.assign(made, { bias: bias && startingAs(bias) });
  } else if (layer.constructor === Embedding) {
    const { numEmbeddings, embeddingDim } = layer as unknown as Embedding;
    made = new QuantizedEmbedding(numEmbeddings, embeddingDim, options);
  } else return undefined;
  (made as { weight: QuantizedParameter }).weight = weight;
  return made;
}
