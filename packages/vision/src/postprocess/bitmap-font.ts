/** Pixels of a glyph. */
export const GLYPH_WIDTH = 3;
export const GLYPH_HEIGHT = 5;

/** Five rows a glyph, each an octal digit whose bits are the three pixels from left to right. */
const GLYPHS: Readonly<Record<string, string>> = {
  " ": "00000",
  "!": "22202",
  '"': "55000",
  "#": "57575",
  "%": "51245",
  "&": "25253",
  "'": "22000",
  "(": "12221",
  ")": "42224",
  "*": "52500",
  "+": "02720",
  ",": "00024",
  "-": "00700",
  ".": "00002",
  "/": "11244",
  "0": "75557",
  "1": "26227",
  "2": "61247",
  "3": "61216",
  "4": "55711",
  "5": "74616",
  "6": "34757",
  "7": "71222",
  "8": "75757",
  "9": "75716",
  ":": "02020",
  ";": "02024",
  "<": "12421",
  "=": "07070",
  ">": "42124",
  "?": "61202",
  A: "25755",
  B: "65656",
  C: "34443",
  D: "65556",
  E: "74647",
  F: "74644",
  G: "34553",
  H: "55755",
  I: "72227",
  J: "11152",
  K: "55655",
  L: "44447",
  M: "57755",
  N: "65555",
  O: "25552",
  P: "65644",
  Q: "25573",
  R: "65655",
  S: "34216",
  T: "72222",
  U: "55557",
  V: "55552",
  W: "55775",
  X: "55255",
  Y: "55222",
  Z: "71247",
  "[": "64446",
  "]": "31113",
  _: "00007",
};

/** A letter that the font has not. */
const UNKNOWN = "77777";

/** The letters of a text that the font draws: capitals without accents. */
export function glyphsOf(text: string): string[] {
  return [...text.normalize("NFD").replace(/\p{Mark}/gu, "")].map(
    (letter) => GLYPHS[letter.toUpperCase()] ?? UNKNOWN,
  );
}

/** Whether a pixel of a glyph is set. */
export function isSet(glyph: string, row: number, column: number): boolean {
  return ((Number(glyph[row]) >> (GLYPH_WIDTH - 1 - column)) & 1) === 1;
}
