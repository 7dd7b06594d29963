import { existsSync, readFileSync } from "node:fs";
import { type DefaultTheme, defineConfig } from "vitepress";

/** Written by TypeDoc before VitePress starts (`pnpm --filter @ai/docs reference`). */
const referenceSidebar = new URL("../reference/typedoc-sidebar.json", import.meta.url);

const reference: DefaultTheme.SidebarItem[] = existsSync(referenceSidebar)
  ? JSON.parse(readFileSync(referenceSidebar, "utf8"))
  : [];

export default defineConfig({
  title: "@ai",
  description: "Train, fine-tune, inspect and ship deep-learning models in TypeScript",
  cleanUrls: true,
  srcExclude: ["README.md"],
  themeConfig: {
    nav: [
      { text: "First steps", link: "/first-steps" },
      { text: "Reference", link: "/reference/" },
    ],
    sidebar: [
      {
        text: "Guide",
        items: [
          { text: "First steps", link: "/first-steps" },
          { text: "Coming from PyTorch", link: "/from-pytorch" },
          { text: "Devices", link: "/devices" },
          { text: "Model files", link: "/model-files" },
          { text: "Checkpoints", link: "/checkpoints" },
          { text: "Pictures", link: "/pictures" },
          { text: "Explain a result", link: "/explain" },
          { text: "Tools around the trainer", link: "/trainer-tools" },
          { text: "Training in a worker", link: "/training-in-a-worker" },
          { text: "Comparing runs", link: "/compare-runs" },
          { text: "Comparing variants", link: "/compare-variants" },
          { text: "Limited compute", link: "/limited-compute" },
        ],
      },
      { text: "Reference", collapsed: true, items: reference },
    ],
    search: { provider: "local" },
  },
});
