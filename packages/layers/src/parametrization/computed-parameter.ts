import { InputError, noGrad, type Tensor, tidy } from "@ai/tensor";
import { type AnyModule, Module } from "../module.js";
import { Parameter } from "../parameter.js";

/**
 * Computes a parameter from stored ones, which are its fields. Its call gives the parameter's shape inside this library.
 * @internal
 */
export abstract class Parametrization extends Module<[], Tensor> {}

/**
 * Stands in a layer's field for a parameter that is computed from others: once a call of the layer, else at every read.
 * @internal
 */
export class ComputedParameter extends Parameter {
  /** What was stored here, and is now a part of the parametrization. */
  readonly original: Parameter;
  readonly #parametrization: Parametrization;
  #removeHooks: (() => void)[] = [];
  #calls = 0;
  #current: Tensor | undefined;

  constructor(original: Parameter, parametrization: Parametrization) {
    const { shape, initializer, dtype, checkpointPermutation, requiresGrad } = original;
    super(shape, { initializer, dtype, checkpointPermutation, requiresGrad });
    this.original = original;
    this.#parametrization = parametrization;
  }

  override get derived(): boolean {
    return true;
  }

  override get hasValue(): boolean {
    return this.original.hasValue;
  }

  override get needsValue(): boolean {
    return false;
  }

  /** `shape`. During a call of the layer the tensor is the call's; outside it is a new one, the reader's own. */
  override get value(): Tensor {
    if (this.#calls === 0) return this.#parametrization.call();
    if (this.#current === undefined || this.#current.isDisposed) this.#current = this.#parametrization.call();
    return this.#current;
  }

  /** Rises with every change of what it is computed from. */
  override get version(): number {
    return this.#parametrization.parameters().reduce((total, { version }) => total + version, 0);
  }

  /** Starts to keep the value during calls of `module`. */
  attach(module: AnyModule): void {
    const forget = (): undefined => {
      this.#current = undefined;
    };
    this.#removeHooks = [
      module.registerForwardPreHook(() => {
        this.#calls = 1; // a call that threw had no hook after it
        return forget();
      }),
      module.registerForwardHook(() => {
        this.#calls = 0;
        return forget();
      }),
    ];
  }

  /** The value now, as a tensor of the caller's, unrecorded. */
  settle(): Tensor {
    return noGrad(() => tidy(() => this.#parametrization.call()));
  }

  /** Ends what {@link attach} began. */
  detach(): void {
    for (const remove of this.#removeHooks) remove();
  }

  /** @throws InputError: what it is computed from can be set. */
  override setValue(): void {
    throw new InputError(
      "ComputedParameter.setValue: expected a stored parameter, got one that is computed from others; set those, or removeParametrization first",
    );
  }

  override initialize(): void {}

  override dispose(): void {}
}
