import { distillation as distillationLoss } from "@ai/layers/training";
import { loadDigits } from "./digits.js";
import { convolutional, dense } from "./models.js";
import { percent, type Row } from "./table.js";
import { accuracy, type DigitModel, millisecondsPerCall, type RecipeOptions, train } from "./training.js";

/**
 * A small network learns from a few labelled digits, or from a larger one's answers to many that nobody labelled. The last
 * row is what all the labels would have given.
 */
export async function distillation(options: RecipeOptions): Promise<Row[]> {
  const { images, testImages, epochs, print, signal } = options;
  const digits = await loadDigits("train", images);
  const few = await loadDigits("train", Math.ceil(images / 8));
  const test = await loadDigits("test", testImages);
  const teacher = convolutional(24);
  await train(teacher, digits, { epochs: 2 * epochs, signal });
  const rows = [await row("teacher", teacher)];
  const lessons = [
    // as many steps as the others
    { name: `student, ${few.count} labels`, data: few, epochs: 16 * epochs },
    {
      name: `student, the teacher's answers to ${digits.count}`,
      data: digits,
      epochs: 2 * epochs,
      computeLoss: distillationLoss({ teacher, temperature: 4, softShare: 1 }),
    },
    { name: `student, ${digits.count} labels`, data: digits, epochs: 2 * epochs },
  ];
  for (const { name, data, ...how } of lessons) {
    const student = dense(32).initialize({ seed: 7 });
    await train(student, data, { ...how, signal });
    rows.push(await row(name, student));
    student.dispose();
  }
  teacher.dispose();
  print("Digits, learnt from labels or from a teacher's answers:");
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
