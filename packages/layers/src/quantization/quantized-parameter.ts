import {
  dequantizeWeight,
  dispose,
  InputError,
  noGrad,
  type QuantizedWeight,
  type QuantizeOptions,
  quantizedLinear,
  quantizeWeight,
  reshape,
  type Tensor,
  tidy,
  transpose,
  zeros,
} from "@ai/tensor";
import { type Initializer, Parameter, StateTensor } from "../parameter.js";

/**
 * A weight of 8 or 4 bits a number in the place of a parameter: `(number − zero point) · scale` of its row and group. It is
 * constant: no optimizer sees it. Rows are the first axis of the checkpoint's layout. A new one holds what the parameter
 * would, rounded; so does one that is initialized anew.
 *
 * State, under the parameter's own name: the numbers as words (see `QuantizedWeight.values`), `NAME_scale`, and
 * `NAME_zero_point` when it is not symmetric.
 */
export class QuantizedParameter extends Parameter {
  readonly bits: 8 | 4;
  /** Numbers of a row that share a scale. */
  readonly groupSize: number;
  readonly symmetric: boolean;
  /** Rows and columns of the weight as a matrix. */
  readonly matrixShape: readonly [rows: number, columns: number];
  readonly #values: StateTensor;
  readonly #scales: StateTensor;
  readonly #zeroPoints: StateTensor | undefined;

  /**
   * @param like Its shape, layout in checkpoints and first values are those of this parameter, which stays as it is.
   * @throws InputError for a parameter with less than two axes, without numbers, or of another dtype, and for wrong options.
   */
  constructor(
    like: Pick<Parameter, "shape" | "dtype" | "checkpointPermutation" | "initializer">,
    options: QuantizeOptions = {},
  ) {
    const { shape, dtype, checkpointPermutation, initializer } = like;
    if (shape.length < 2 || dtype !== "float32" || shape.includes(0))
      throw new InputError(
        `QuantizedParameter: expected a float32 weight of two axes or more that is not empty, got ${dtype} [${shape.join(", ")}]`,
      );
    super(shape, { initializer, checkpointPermutation, requiresGrad: false });
    const rows = shape[checkpointPermutation?.[0] ?? 0];
    const columns = shape.reduce((product, length) => product * length, 1) / rows;
    // a weight of zeros says how large its parts are, and checks the options
    const empty = tidy(() => quantizeWeight(zeros([1, columns]), options));
    const { bits, groupSize, values, scales } = empty;
    this.bits = bits;
    this.groupSize = groupSize;
    this.symmetric = options.symmetric ?? true;
    this.matrixShape = [rows, columns];
    const part = (length: number, type: "int32" | "float32", first: Initializer): StateTensor =>
      new StateTensor([rows, length], { dtype: type, initializer: first });
    const [words, groups] = [values.shape[1] ?? 0, scales.shape[1] ?? 0];
    this.#values = part(words, "int32", (_, generator) => {
      this.setMatrix(this.toMatrix(initializer(shape, generator)));
      return this.#values.value;
    });
    // drawn with the numbers; those that a file gave stay
    this.#scales = part(groups, "float32", (size) =>
      this.#scales.hasValue ? this.#scales.value : zeros(size, "float32", 1),
    );
    this.#zeroPoints = this.symmetric
      ? undefined
      : part(groups, "int32", (size) =>
          this.#zeroPoints?.hasValue ? this.#zeroPoints.value : zeros(size, "int32"),
        );
    dispose([empty.values, empty.scales, empty.zeroPoints]);
  }

  /**
   * The rounded form of a parameter that has values, which stays as it is.
   * @param parameter `[outputs, ...]` in its checkpoint's layout.
   * @returns the same shape
   * @throws InputError as the constructor.
   */
  static from(parameter: Parameter, options: QuantizeOptions = {}): QuantizedParameter {
    const made = new QuantizedParameter(parameter, options);
    const matrix = noGrad(() => tidy(() => made.toMatrix(parameter.value)));
    made.setMatrix(matrix);
    matrix.dispose();
    return made;
  }

  override get derived(): boolean {
    return true;
  }

  override get hasValue(): boolean {
    return this.#values.hasValue;
  }

  override get needsValue(): boolean {
    return Object.values(this.storedParts).some(({ needsValue }) => needsValue);
  }

  override get storedParts(): Readonly<Record<string, StateTensor>> {
    return {
      "": this.#values,
      _scale: this.#scales,
      ...(this.#zeroPoints === undefined ? {} : { _zero_point: this.#zeroPoints }),
    };
  }

  override get version(): number {
    return Object.values(this.storedParts).reduce((total, { version }) => total + version, 0);
  }

  /** `shape`, float32, made anew at every read: the reader's own. */
  override get value(): Tensor {
    return tidy(() => {
      const stored = reshape(dequantizeWeight(this.quantized()), this.checkpointShape);
      const { checkpointPermutation } = this;
      if (checkpointPermutation === undefined) return stored;
      return transpose(
        stored,
        this.shape.map((_, axis) => checkpointPermutation.indexOf(axis)),
      ); // shape
    });
  }

  /** The weight as `quantizedLinear` takes it; its tensors stay this parameter's. */
  quantized(): QuantizedWeight {
    return {
      values: this.#values.value,
      scales: this.#scales.value,
      zeroPoints: this.#zeroPoints?.value,
      bits: this.bits,
      groupSize: this.groupSize,
      shape: this.matrixShape,
    };
  }

  /**
   * On `wasm` few rows read the numbers in place, without a float32 copy of the weight.
   * @param x `[..., columns]` @param bias `[rows]`
   * @returns `[..., rows]`
   */
  override linear(x: Tensor, bias?: Tensor): Tensor {
    return quantizedLinear(x, this.quantized(), bias === undefined ? {} : { bias });
  }

  /** Bytes of the numbers with their scales and zero points. */
  override get bytes(): number {
    return Object.values(this.storedParts).reduce((total, { bytes }) => total + bytes, 0);
  }

  /**
   * A tensor of this parameter's shape as a matrix; the caller's scope frees it.
   * @param value `[...]`, as {@link Parameter.shape}
   * @returns `[rows, columns]`
   */
  toMatrix(value: Tensor): Tensor {
    const { checkpointPermutation } = this;
    const stored = checkpointPermutation === undefined ? value : transpose(value, [...checkpointPermutation]);
    return reshape(stored, [...this.matrixShape]);
  }

  /** Rounds a weight into this one. @param matrix `[rows, columns]`, see {@link matrixShape} */
  setMatrix(matrix: Tensor): void {
    const { bits, groupSize, symmetric } = this;
    const { values, scales, zeroPoints } = noGrad(() =>
      quantizeWeight(matrix, { bits, groupSize, symmetric }),
    );
    this.#values.setValue(values);
    this.#scales.setValue(scales);
    if (zeroPoints !== undefined) this.#zeroPoints?.setValue(zeroPoints);
  }

  /** @throws InputError: numbers of few bits are not trained. */
  override setValue(): void {
    throw new InputError(
      "QuantizedParameter.setValue: expected a float32 parameter, got one of few bits; use setMatrix, which rounds",
    );
  }

  override initialize(): void {}

  override dispose(): void {
    for (const part of Object.values(this.storedParts)) part.dispose();
  }
}
