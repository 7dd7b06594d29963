import { distillation as distillationLoss } from "@ai/layers/training";
import { loadDigits } from "./digits.js";
import { convolutional, dense } from "./models.js";
import { percent, type Row } from "./table.js";
import { accuracy, type DigitModel, millisecondsPerCall, type RecipeOptions, train } from "./training.js";

/** A small network learns from labels alone, or from a larger one's answers as well. */
export async function distillation(options: RecipeOptions): Promise<Row[]> {
  const { images, testImages, epochs, print, signal } = options;
  const digits = await loadDigits("train", images);
  const test = await loadDigits("test", testImages);
  const teacher = convolutional(24);
  await train(teacher, digits, { epochs: 2 * epochs, signal });
  const rows = [await row("teacher", teacher)];
  for (const name of ["student, labels", "student, distilled"]) {
    const student = dense(32).initialize({ seed: 7 });
    const computeLoss = distillationLoss({ teacher, temperature: 4, softShare: 0.9 });
    await train(student, digits, {
      epochs: 2 * epochs,
      signal,
      ...(name === "student, distilled" && { computeLoss }),
    });
    rows.push(await row(name, student));
    student.dispose();
  }
  teacher.dispose();
  print("The same digits, learnt from the labels or from a teacher's answers:");
  return rows;

  async function row(name: string, model: DigitModel): Promise<Row> {
    return {
      name,
      bytes: 4 * model.summary([1, 28, 28, 1]).parameters,
      "ms for 100 pictures": await millisecondsPerCall(model, 100),
      accuracy: percent(await accuracy(model, test)),
    };
  }
}
