import { InputError } from "@ai/tensor";
import { afterEach, expect, it } from "vitest";
import { CommandContext } from "./command-context.js";
import { eachPicture } from "./each-picture.js";

afterEach(() => {
  process.exitCode = 0;
});

it("ends with an error that says what to do when no picture of several can be read", async () => {
  const context = new CommandContext({ json: false, debug: false });
  const done = eachPicture(context, ["nowhere/a.png", "nowhere/b.png"], {
    batchSize: 2,
    work: () => Promise.reject(new Error("no picture to work on")),
    text: String,
  });
  await expect(done).rejects.toThrow(InputError);
  await expect(done).rejects.toThrow(
    "2 pictures: expected some that can be read, got none; the errors above say why",
  );
  expect(process.exitCode).toBe(1);
  context.dispose();
});
