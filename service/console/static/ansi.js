// Colours and styles of terminal output (ECMA-48, SGR) as elements; every other control sequence is left out.

const CONTROL =
  /\x1b\[([0-9;:]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|\x1b[PX^_][^\x1b]*(?:\x1b\\)?|\x1b[ -/]*[0-~]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g;
const STYLES = { 1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse" };
const ENDS = { 22: ["bold", "dim"], 23: ["italic"], 24: ["underline"], 27: ["inverse"] };

/** Draws the lines of one log in order: a style holds until it is ended, also over lines. */
export class Ansi {
  #styles = new Set();
  #colour = null; // a number of the 16 named ones, or a CSS colour

  draw(line, kind) {
    const drawn = document.createDocumentFragment();
    let from = 0;
    for (const match of line.matchAll(CONTROL)) {
      this.#text(drawn, line.slice(from, match.index), kind);
      from = match.index + match[0].length;
      if (match[1] !== undefined) this.#select(match[1].split(/[;:]/).map(Number));
    }
    this.#text(drawn, line.slice(from), kind);
    return drawn;
  }

  #text(drawn, text, kind) {
    if (!text) return;
    const classes = [...this.#styles];
    if (kind) classes.push(kind);
    if (typeof this.#colour === "number") classes.push(`fg-${this.#colour}`);
    if (!classes.length && this.#colour === null) {
      drawn.append(text);
      return;
    }
    const span = document.createElement("span");
    span.className = classes.join(" ");
    if (typeof this.#colour === "string") span.style.color = this.#colour;
    span.textContent = text;
    drawn.append(span);
  }

  #select(codes) {
    for (let at = 0; at < codes.length; at++) {
      const code = codes[at];
      if (code === 0) this.#styles.clear(), (this.#colour = null);
      else if (STYLES[code]) this.#styles.add(STYLES[code]);
      else if (ENDS[code]) for (const style of ENDS[code]) this.#styles.delete(style);
      else if (code >= 30 && code <= 37) this.#colour = code - 30;
      else if (code >= 90 && code <= 97) this.#colour = code - 82;
      else if (code === 39) this.#colour = null;
      else if (code === 38 || code === 48) {
        const colour = codes[at + 1] === 5 ? palette(codes[at + 2]) : `rgb(${codes.slice(at + 2, at + 5).join(" ")})`;
        at += codes[at + 1] === 5 ? 2 : 4;
        if (code === 38) this.#colour = colour;
      }
    }
  }
}

/** A colour of xterm's palette of 256: 16 named ones, a cube of 6×6×6, 24 greys. */
function palette(number) {
  if (number < 16) return number;
  if (number >= 232) return `rgb(${Array(3).fill(8 + 10 * (number - 232)).join(" ")})`;
  const level = (part) => (part ? 55 + 40 * part : 0);
  const cube = number - 16;
  return `rgb(${level(Math.floor(cube / 36))} ${level(Math.floor(cube / 6) % 6)} ${level(cube % 6)})`;
}
