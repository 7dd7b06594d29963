import * as ai from "@ai/tensor";
import { BERT, bertInput, bertLayer, lstmWeights, values } from "../workloads/inputs.mjs";

const tensorOf = ({ shape, values: numbers }) => ai.fromValues(numbers, shape, "float32");

/** Attention and feed-forward of one layer, norms behind them. x `[1, length, dim]` */
function encoderLayer(x, weights) {
  const { dim, heads, length, epsilon } = BERT;
  const headsOf = (matrix, bias) =>
    ai.transpose(ai.reshape(ai.linear(x, matrix, bias), [1, length, heads, dim / heads]), [0, 2, 1, 3]);
  const mixed = ai.scaledDotProductAttention(
    headsOf(weights.query, weights.queryBias),
    headsOf(weights.key, weights.keyBias),
    headsOf(weights.value, weights.valueBias),
  );
  const merged = ai.reshape(ai.transpose(mixed, [0, 2, 1, 3]), [1, length, dim]);
  const first = ai.layerNorm(ai.add(x, ai.linear(merged, weights.output, weights.outputBias)), {
    weight: weights.norm1,
    bias: weights.norm1Bias,
    epsilon,
  });
  const hidden = ai.gelu(ai.linear(first, weights.up, weights.upBias));
  return ai.layerNorm(ai.add(first, ai.linear(hidden, weights.down, weights.downBias)), {
    weight: weights.norm2,
    bias: weights.norm2Bias,
    epsilon,
  });
}

/** The encoder of workloads/inputs.mjs with our fused ops. */
export function prepareBert(finish) {
  const { layers, dim, length } = BERT;
  const x = ai.fromValues(bertInput(), [1, length, dim], "float32");
  // our linear layers keep PyTorch's [out, in]
  const transposed = (weight) => {
    if (weight.shape.length === 1) return tensorOf(weight);
    return ai.tidy(() => ai.transpose(tensorOf(weight)));
  };
  const weights = Array.from({ length: layers }, (_, index) =>
    Object.fromEntries(Object.entries(bertLayer(index)).map(([name, weight]) => [name, transposed(weight)])),
  );
  return {
    run: (wanted) =>
      finish(
        ai.tidy(() => weights.reduce((hidden, layer) => encoderLayer(hidden, layer), x)),
        wanted,
      ),
    dispose: () => ai.dispose([x, ...weights.flatMap((layer) => Object.values(layer))]),
  };
}

/** Loss of an LSTM over `x` `[steps, batch, inputDim]` whose last state is classified. */
function lstmLoss(x, y, state, [inputWeight, hiddenWeight, bias, weight, classBias]) {
  const [steps, batch] = x.shape;
  const gates = ai.linear(x, inputWeight, bias);
  const { hidden } = ai.lstmSequence(gates, hiddenWeight, { hidden: state, cell: state });
  const last = ai.reshape(ai.narrow(hidden, { axis: 0, start: steps - 1, length: 1 }), [batch, -1]);
  return ai.crossEntropy(ai.linear(last, weight, classBias), y);
}

export function prepareLstmTraining({ batch, steps, hidden, learningRate }, finish) {
  const inputDim = 28;
  const x = ai.fromValues(values(steps * batch * inputDim, 7), [steps, batch, inputDim], "float32");
  const y = ai.fromValues(
    Int32Array.from({ length: batch }, (_, index) => index % 10),
    [batch],
    "int32",
  );
  const state = ai.zeros([batch, hidden]);
  let weights = lstmWeights(inputDim, hidden).map(tensorOf);
  return {
    async run(wanted) {
      if (wanted) await this.run(false);
      const { value, grads } = ai.valueAndGrad((...parameters) => lstmLoss(x, y, state, parameters), weights);
      const updated = weights.map((weight, index) =>
        ai.tidy(() => ai.sub(weight, ai.mul(grads[index], learningRate))),
      );
      ai.dispose([...weights, ...grads]);
      weights = updated;
      return finish(value, wanted);
    },
    dispose: () => ai.dispose([x, y, state, ...weights]),
  };
}
