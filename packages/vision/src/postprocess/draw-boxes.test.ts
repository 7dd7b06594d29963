import { InputError } from "@ai/tensor";
import { expect, it } from "vitest";
import type { Picture } from "../preprocess/picture.js";
import { drawBoxes } from "./draw-boxes.js";

const grey: Picture = { data: new Uint8Array(40 * 30).fill(100), width: 40, height: 30, channels: 1 };

/** The picture as letters: `.` untouched, `#` a colour, `x` ink. */
function lines({ data, width, height }: Picture): string[] {
  return Array.from({ length: height }, (_, y) =>
    Array.from({ length: width }, (_, x) => {
      const pixel = [...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)].join();
      return pixel === "100,100,100" ? "." : pixel === "0,0,0" || pixel === "255,255,255" ? "x" : "#";
    }).join(""),
  );
}

it("draws edges and labels, and cuts off what lies outside", () => {
  const drawn = drawBoxes(grey, [
    { label: "é1", score: 0.5, box: [2.2, 9.8, 12, 20] },
    { label: "T", box: [30, 0, 60, 8] },
  ]);
  expect(drawn).toMatchObject({ width: 40, height: 30, channels: 3 });
  const rows = lines(drawn);
  expect(rows.slice(2, 12).map((row) => row.slice(0, 28))).toEqual([
    "............................",
    "..#########################.",
    "..#xxx##x######xxx#xxx#x#x#.",
    "..#x###xx######x###x#x###x#.",
    "..#xx###x######xx##x#x##x##.",
    "..#x####x########x#x#x#x###.",
    "..#xxx#xxx#####xx##xxx#x#x#.",
    "..#########################.",
    "..##########................",
    "..#........#................",
  ]);
  expect(rows[19].slice(0, 14)).toBe("..##########..");
  expect(rows.slice(1, 3).map((row) => row.slice(29))).toEqual([".#xxx#.....", ".##x##....."]); // in the box
  expect(grey.data.every((value) => value === 100)).toBe(true);
  const bare = drawBoxes(grey, [{ label: "a", box: [2, 10, 12, 20] }], { lineWidth: 2, dotSize: 0 });
  expect(lines(bare)[9]).toBe(".".repeat(40));
  expect(lines(bare)[12].slice(0, 14)).toBe("..##......##..");
});

it("refuses boxes and options that make no sense", () => {
  const box = [0, 0, 5, 5] as const;
  expect(() => drawBoxes(grey, [{ label: 5 as never, box }])).toThrow(/label as text.*got number/);
  expect(() => drawBoxes(grey, [{ label: "a", box: [5, 0, 0, 5] }])).toThrow(InputError);
  expect(() => drawBoxes(grey, [], { lineWidth: 0 })).toThrow(InputError);
  expect(() => drawBoxes(grey, [], { color: "red" } as never)).toThrow(/got one named color/);
});
