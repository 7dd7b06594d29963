import { byId, make } from "./page.js";

/** Pictures of ours to try, by file name: in `public/samples`. */
const SAMPLES: Readonly<Record<string, string>> = {
  "ship.jpg": "Ship",
  "plane.jpg": "Plane",
  "truck.jpg": "Truck",
  "blood.jpg": "Blood cells",
  "digit.jpg": "A digit",
};

/** Buttons with small pictures; a press uses the picture. */
export function showSamples(use: (name: string, open: () => Promise<Blob>) => Promise<void>): void {
  byId("samples").append(
    ...Object.entries(SAMPLES).map(([file, name]) => {
      const address = new URL(`samples/${file}`, document.baseURI).href;
      const image = make("img");
      Object.assign(image, { src: address, alt: "", width: 72, height: 54, loading: "lazy" });
      const button = make("button", "sample", image, make("span", "", name));
      button.type = "button";
      button.onclick = () => void use(name, async () => (await fetch(address)).blob());
      return button;
    }),
  );
}
