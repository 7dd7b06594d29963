/**
 * Draws the pictures in `public/samples`, which are ours and may be given away: `node draw-samples.mjs` in this folder.
 * They need Chromium, whose canvas draws them.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { chromium } from "playwright";
import { CHROMIUM_FLAGS, findChromium } from "../../tooling/chromium.mjs";

/** Runs in the page: draws one scene and gives it as a JPEG's data URL. */
function drawScene(name) {
  const [width, height] = name === "blood" ? [640, 480] : [480, 360];
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  // the same numbers in each run
  let state = 20_261_126;
  const random = (from = 0, to = 1) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return from + ((to - from) * state) / 2 ** 32;
  };
  const gradient = (stops, x0 = 0, y0 = 0, x1 = 0, y1 = height) => {
    const made = context.createLinearGradient(x0, y0, x1, y1);
    stops.forEach((color, index) => {
      made.addColorStop(index / (stops.length - 1), color);
    });
    return made;
  };
  const shape = (color, points, { blur = 0 } = {}) => {
    context.filter = blur > 0 ? `blur(${blur}px)` : "none";
    context.fillStyle = color;
    context.beginPath();
    points.forEach(([x, y], index) => {
      if (index === 0) context.moveTo(x, y);
      else context.lineTo(x, y);
    });
    context.fill();
    context.filter = "none";
  };
  const disc = (color, x, y, radiusX, radiusY = radiusX, { blur = 0, angle = 0 } = {}) => {
    context.filter = blur > 0 ? `blur(${blur}px)` : "none";
    context.fillStyle = color;
    context.beginPath();
    context.ellipse(x, y, radiusX, radiusY, angle, 0, 2 * Math.PI);
    context.fill();
    context.filter = "none";
  };
  const band = (color, x, y, w, h, blur = 0) => {
    const corners = [
      [x, y],
      [x + w, y],
      [x + w, y + h],
      [x, y + h],
    ];
    shape(color, corners, { blur });
  };
  const clouds = (count, top, bottom, color = "rgba(255,255,255,.5)") => {
    for (let index = 0; index < count; index++)
      disc(color, random(0, width), random(top, bottom), random(40, 110), random(8, 20), { blur: 12 });
  };
  const scenes = {
    ship() {
      band(gradient(["#7fb2e0", "#cfe3f2", "#eef3f4"]), 0, 0, width, 215);
      clouds(7, 20, 120);
      band(gradient(["#4d7f9d", "#24526f", "#12344b"], 0, 205, 0, height), 0, 205, width, height - 205);
      for (let index = 0; index < 260; index++) {
        const y = random(210, height);
        const size = (y - 200) / 14;
        band(
          `rgba(${random() < 0.5 ? "210,230,240" : "10,40,60"},${random(0.08, 0.25)})`,
          random(-20, width),
          y,
          size * random(2, 5),
          size * 0.22,
          0.6,
        );
      }
      // hull, deck houses, funnels, masts
      shape(gradient(["#8e2f2a", "#5d1a18"], 0, 190, 0, 248), [[70, 192], [408, 186], [372, 244], [104, 248]]); // biome-ignore format: points
      shape("#e9e6df", [[66, 184], [412, 178], [408, 190], [72, 196]]); // biome-ignore format: points
      band(gradient(["#f7f5f0", "#cfcbc2"], 0, 132, 0, 184), 130, 136, 180, 48);
      band("#f3f1ea", 158, 108, 108, 30);
      for (let index = 0; index < 9; index++) band("#41566a", 142 + index * 18, 152, 10, 10);
      for (let index = 0; index < 5; index++) band("#41566a", 168 + index * 18, 117, 9, 9);
      shape("#c9542d", [[196, 108], [200, 66], [226, 66], [230, 108]]); // biome-ignore format: points
      band("#22292f", 199, 66, 28, 10);
      band("#4d565d", 340, 96, 4, 90);
      band("#4d565d", 100, 112, 4, 78);
      for (let index = 0; index < 7; index++)
        disc(`rgba(90,95,100,${0.3 - index * 0.035})`, 216 + index * 20, 54 - index * 5, 12 + index * 5, 9 + index * 3, { blur: 7 }); // biome-ignore format: numbers
      band("rgba(240,248,250,.7)", 92, 242, 292, 6, 3);
      band("rgba(60,20,20,.35)", 104, 250, 266, 34, 7);
    },
    plane() {
      band(gradient(["#2f6fb7", "#74aee2", "#c6e0f3"]), 0, 0, width, height);
      clouds(9, 240, 350, "rgba(255,255,255,.6)");
      context.translate(width / 2, height / 2 - 12);
      context.rotate(-0.13);
      shape("#b9c0c8", [[10, 2], [-70, -78], [-46, -80], [62, 0]], { blur: 0.6 }); // biome-ignore format: points
      const body = gradient(["#ffffff", "#e3e7ea", "#98a3ac"], 0, -24, 0, 24);
      disc(body, 0, 0, 188, 21, { blur: 0.5 });
      shape("#23415f", [[-186, -6], [-212, -74], [-176, -74], [-136, -14]]); // biome-ignore format: points
      shape("#cdd4da", [[-180, 4], [-220, 20], [-198, 24], [-140, 10]]); // biome-ignore format: points
      shape(gradient(["#dfe4e8", "#8d98a1"], 0, 0, 0, 110), [[44, 8], [-92, 112], [-60, 114], [88, 10]], { blur: 0.5 }); // biome-ignore format: points
      disc("#5b6670", -8, 58, 30, 11, { angle: 0.05 });
      disc("#394149", 20, 58, 8, 9);
      for (let index = 0; index < 16; index++) disc("#3d5269", -118 + index * 16, -4, 3.2, 4);
      shape("#2b3b4b", [[158, -8], [178, -6], [170, 0], [156, 0]]); // biome-ignore format: points
      context.setTransform(1, 0, 0, 1, 0, 0);
    },
    truck() {
      band(gradient(["#9cc3e0", "#dbe9f1"]), 0, 0, width, 200);
      clouds(5, 20, 90);
      for (let index = 0; index < 30; index++)
        disc(`hsl(${random(95, 130)} 30% ${random(22, 36)}%)`, random(-10, width), random(170, 205), random(20, 46), random(22, 40), { blur: 2 }); // biome-ignore format: numbers
      band(gradient(["#8d8f8e", "#5d5f60"], 0, 215, 0, height), 0, 215, width, height - 215);
      band("#e9e4c8", 0, 316, width, 6, 1);
      band("rgba(20,22,24,.5)", 48, 272, 384, 20, 6);
      band(gradient(["#f4f5f3", "#cfd3d2"], 0, 96, 0, 250), 52, 92, 244, 160);
      band("#2c6c8f", 52, 150, 244, 34);
      shape(gradient(["#d2412c", "#93230f"], 0, 130, 0, 258), [[304, 128], [372, 128], [410, 190], [426, 198], [426, 260], [304, 260]]); // biome-ignore format: points
      shape("#a9cbdd", [[318, 140], [364, 140], [394, 190], [318, 190]]); // biome-ignore format: points
      band("#31363a", 46, 250, 384, 14);
      for (const x of [104, 160, 366]) {
        disc("#1b1d1f", x, 268, 27);
        disc("#9ba2a6", x, 268, 13);
        disc("#3c4144", x, 268, 5);
      }
      band("#ffe9a8", 414, 218, 12, 12, 1);
    },
    digit() {
      band(gradient(["#efe9d8", "#e4dcc6"], 0, 0, width, height), 0, 0, width, height);
      for (let y = 40; y < height; y += 44) band("rgba(90,130,180,.25)", 0, y, width, 1.5, 0.6);
      context.strokeStyle = "#22315f";
      context.lineCap = context.lineJoin = "round";
      context.lineWidth = 24;
      context.beginPath();
      context.moveTo(172, 84);
      context.quadraticCurveTo(240, 72, 306, 80);
      context.quadraticCurveTo(262, 140, 248, 182);
      context.quadraticCurveTo(228, 236, 222, 288);
      context.stroke();
    },
    blood() {
      band(gradient(["#e3d8cd", "#dccfc6", "#e6dcd0"]), 0, 0, width, height);
      const placed = [];
      const free = (x, y, radius) =>
        placed.every(
          ([otherX, otherY, other]) => Math.hypot(x - otherX, y - otherY) > (radius + other) * 0.86,
        );
      // a white cell: pale plasma, a nucleus of several lobes
      for (const [x, y] of [[222, 178]]) {
        placed.push([x, y, 74]);
        disc("rgba(196,170,196,.75)", x, y, 70, 66, { blur: 2 });
        for (let lobe = 0; lobe < 4; lobe++)
          disc("#6d3f8e", x + 26 * Math.cos(lobe * 1.75), y + 24 * Math.sin(lobe * 1.75), 30, 26, { blur: 3, angle: lobe }); // biome-ignore format: numbers
        for (let grain = 0; grain < 130; grain++)
          disc(`rgba(70,30,100,${random(0.1, 0.3)})`, x + random(-48, 48), y + random(-44, 44), random(2, 6), random(2, 5), { blur: 2 }); // biome-ignore format: numbers
      }
      for (let trial = 0; trial < 900 && placed.length < 24; trial++) {
        const [x, y, radius] = [random(-10, width + 10), random(-10, height + 10), random(40, 48)];
        if (!free(x, y, radius)) continue;
        placed.push([x, y, radius]);
        const angle = random(0, 3);
        disc("#c58f8a", x, y, radius, radius * random(0.9, 1), { blur: 1.5, angle });
        disc("#d0a098", x, y, radius * 0.88, radius * 0.84, { blur: 2, angle });
        disc("#e0bdb1", x + random(-4, 4), y + random(-4, 4), radius * 0.42, radius * 0.38, {
          blur: 8,
          angle,
        });
      }
      for (let index = 0; index < 4; index++) {
        const [x, y] = [random(30, width - 30), random(30, height - 30)];
        for (let grain = 0; grain < 14; grain++)
          disc(`rgba(120,70,150,${random(0.25, 0.5)})`, x + random(-8, 8), y + random(-7, 7), random(3, 6), random(3, 5), { blur: 1.5 }); // biome-ignore format: numbers
      }
    },
  };
  scenes[name]();
  // the grain of a camera
  const pixels = context.getImageData(0, 0, width, height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    const grain = random(-6, 6);
    for (let channel = 0; channel < 3; channel++) pixels.data[at + channel] += grain + random(-3, 3);
  }
  context.putImageData(pixels, 0, 0);
  return canvas.toDataURL("image/jpeg", 0.82);
}

const folder = new URL("public/samples/", import.meta.url);
await mkdir(folder, { recursive: true });
const browser = await chromium.launch({ executablePath: findChromium(), args: CHROMIUM_FLAGS });
try {
  const page = await browser.newPage();
  for (const name of ["ship", "plane", "truck", "blood", "digit"]) {
    const address = await page.evaluate(drawScene, name);
    const bytes = Buffer.from(address.split(",")[1], "base64");
    await writeFile(new URL(`${name}.jpg`, folder), bytes);
    console.log(`${name}.jpg: ${bytes.length} bytes`);
  }
} finally {
  await browser.close();
}
