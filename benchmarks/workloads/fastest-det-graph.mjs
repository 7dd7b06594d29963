import { GraphBuilder } from "./vision-graphs.mjs";

/** Blocks of the stages that halve the picture. */
const DEPTHS = [4, 8, 4];

/** FastestDet as its exporter writes it: `[1, 5 + classes, size / 16, size / 16]`. */
export function fastestDetGraph(state, { size, classes }) {
  const graph = new GraphBuilder(state);
  const channelsOf = (norm) => state.get(`${norm}.weight`).shape[0];
  /** Entries `index` and `index + 1` of a sequence. */
  const step = (x, path, index, options) =>
    graph.convNorm(x, `${path}.${index}`, `${path}.${index + 1}`, options);
  const depthwise = (x, path, index, options) =>
    step(x, path, index, { ...options, groups: channelsOf(`${path}.${index + 1}`) });

  function block(x, path, { stride, channels, side }) {
    let [kept, moved] = [x, x];
    if (stride === 1) {
      const pairs = graph.transpose(graph.reshape(x, [1, channels / 2, 2, side, side]), [0, 2, 1, 3, 4]);
      const halves = graph.reshape(pairs, [1, channels, side, side]);
      kept = graph.channels(halves, 0, channels / 2);
      moved = graph.channels(halves, channels / 2, channels);
    } else {
      const projection = `${path}.branch_proj`;
      kept = graph.relu(step(depthwise(x, projection, 0, { stride }), projection, 2));
    }
    const main = `${path}.branch_main`;
    const narrow = graph.relu(step(moved, main, 0));
    return graph.concat([kept, graph.relu(step(depthwise(narrow, main, 3, { stride }), main, 5))]);
  }

  const stem = graph.relu(step("pixel_values", "backbone.first_conv", 0, { stride: 2 }));
  let x = graph.pool("MaxPool", stem, 3, { stride: 2, padding: 1 });
  const maps = DEPTHS.map((depth, stage) => {
    const side = size / 2 ** (stage + 3);
    const first = `backbone.stage${stage + 2}.0`;
    const channels = channelsOf(`${first}.branch_proj.3`) + channelsOf(`${first}.branch_main.6`);
    for (let index = 0; index < depth; index++)
      x = block(x, `backbone.stage${stage + 2}.${index}`, { stride: index === 0 ? 2 : 1, channels, side });
    return { x, channels, side };
  });
  const [fine, middle, coarse] = maps;
  const shrunk = graph.pool("AveragePool", fine.x, 3, { stride: 2, padding: 1, count_include_pad: 1 });
  const { channels, side } = coarse;
  const spread = graph.expand(graph.reshape(coarse.x, [1, channels, side, 1, side, 1]), [
    1,
    channels,
    side,
    2,
    side,
    2,
  ]);
  const grown = graph.reshape(spread, [1, channels, 2 * side, 2 * side]);
  const point = (y, path) => graph.relu(step(y, `${path}.conv1x1`, 0));
  const hidden = point(graph.concat([shrunk, middle.x, grown]), "SPP.Conv1x1");
  const views = [1, 2, 3].map((count) =>
    Array.from({ length: count }).reduce(
      (view, _, index) => graph.relu(depthwise(view, `SPP.S${count}`, 3 * index)),
      hidden,
    ),
  );
  const neck = graph.relu(graph.add(hidden, step(graph.concat(views), "SPP.output", 0)));
  const features = point(neck, "detect_head.conv1x1");
  const part = (name) => {
    const path = `detect_head.${name}.conv5x5`;
    return step(graph.relu(depthwise(features, path, 0)), path, 3);
  };
  const cells = graph.concat([
    graph.sigmoid(part("obj_layers")),
    part("reg_layers"),
    graph.softmax(part("cls_layers"), 1),
  ]);
  const rows = size / 16;
  return graph.finish("pixel_values", [1, 3, size, size], cells, "cells", [1, 5 + classes, rows, rows]);
}
