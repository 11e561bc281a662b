// The log of one step. Only what is open is drawn, in blocks that the browser skips while they are out of sight.
import { Ansi } from "./ansi.js";

const BLOCK = 200; // lines; console.css knows the height of a whole block
const FRAME = 8; // milliseconds of a frame that drawing may take
const LONGEST = 65536; // characters after which a line without an end is shown all the same

export class Pane {
  #main;
  #step;
  #attempt = 0;
  #status = "";
  #lines = []; // [text, class]
  #drawn = 0;
  #rest = "";
  #element = null;
  #block = null;
  #ansi = new Ansi();
  #waiting = false;
  #offered = false; // opened once by us
  #opened = false; // is open by us, not by the reader
  #moving = new Map();

  constructor(main, step) {
    this.#main = main;
    this.#step = step;
    this.attach();
  }

  /** Finds the pane's place in the page, once the page has it. */
  attach() {
    if (this.#element?.isConnected) return;
    this.#element = this.#main.querySelector(`details[data-step="${this.#step}"]`);
    if (!this.#element) return;
    this.#clear();
    this.#element.addEventListener("toggle", () => this.#draw());
    this.#element.querySelector("summary").addEventListener("click", () => (this.#opened = false));
    this.#follow();
    this.#draw();
  }

  /** A later attempt of the job writes its steps anew. */
  begin(attempt) {
    if (attempt <= this.#attempt) return;
    this.#attempt = attempt;
    this.#lines = [];
    this.#rest = "";
    this.#clear();
  }

  write(text) {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop();
    for (const line of lines) this.#lines.push([left(line), ""]);
    if (this.#rest.length > LONGEST) this.#lines.push([this.#rest, ""]), (this.#rest = "");
    this.#follow();
    this.#draw();
  }

  warn(text) {
    this.#lines.push([`warning: ${text}`, "warned"]);
    this.#draw();
  }

  /** How far the transfers of this step are, together; those outside of steps are told at the top. */
  progress({ id, action, current, total }) {
    this.#moving.set(id, { current, total: total ?? 0 });
    let [done, whole] = [0, 0];
    for (const part of this.#moving.values()) (done += part.current), (whole += Math.max(part.total, part.current));
    const place = this.#step === "" ? document.getElementById("activity") : this.#element?.querySelector(".progress");
    if (place) place.textContent = whole ? `${action || "moving"} ${bytes(done)} of ${bytes(whole)}` : action;
  }

  status(status) {
    this.#status = status;
    if (status !== "running") this.end();
    this.#follow();
  }

  /** Nothing more comes. */
  end() {
    if (this.#rest) this.#lines.push([left(this.#rest), ""]);
    this.#rest = "";
    this.#moving.clear();
    const place = this.#step === "" ? document.getElementById("activity") : this.#element?.querySelector(".progress");
    if (place) place.textContent = "";
    this.#draw();
  }

  // A step that runs and writes is open; it closes again when it went well, unless the reader had a hand in it.
  #follow() {
    if (!this.#element || this.#element.id === "loose") return;
    const busy = this.#status === "running" && this.#lines.length > 0;
    if (busy && !this.#offered) {
      this.#opened = !this.#element.open;
      this.#offered = this.#element.open = true;
    } else if (this.#opened && this.#status && this.#status !== "running" && this.#status !== "failed") {
      this.#opened = this.#element.open = false;
    }
  }

  #clear() {
    this.#drawn = 0;
    this.#block = null;
    this.#ansi = new Ansi();
    this.#element?.querySelector(".log").replaceChildren();
  }

  #draw() {
    if (this.#element?.id === "loose") this.#element.hidden = this.#lines.length === 0;
    if (this.#waiting || !this.#element?.open || this.#drawn === this.#lines.length) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#drawSome();
      this.#draw();
    });
  }

  #drawSome() {
    const log = this.#element.querySelector(".log");
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const until = performance.now() + FRAME;
    while (this.#drawn < this.#lines.length && performance.now() < until) {
      if (this.#drawn % BLOCK === 0) this.#block = block(log);
      const end = Math.min(this.#lines.length, this.#drawn - (this.#drawn % BLOCK) + BLOCK);
      const numbers = [];
      const drawn = document.createDocumentFragment();
      for (; this.#drawn < end; this.#drawn++) {
        const [text, kind] = this.#lines[this.#drawn];
        numbers.push(`${this.#drawn + 1}\n`);
        drawn.append(this.#ansi.draw(text, kind), "\n");
      }
      this.#block.firstChild.append(numbers.join(""));
      this.#block.lastChild.append(drawn);
      this.#block.classList.toggle("whole", end % BLOCK === 0);
    }
    if (atEnd && this.#status === "running") log.scrollTop = log.scrollHeight;
  }
}

function block(log) {
  const made = document.createElement("div");
  const [numbers, lines] = [document.createElement("pre"), document.createElement("pre")];
  made.className = "block";
  numbers.className = "numbers";
  numbers.setAttribute("aria-hidden", "true");
  lines.className = "lines";
  made.append(numbers, lines);
  log.append(made);
  return made;
}

/** Of a line that was overwritten by carriage returns, the last state counts. */
function left(line) {
  return line.replace(/\r+$/, "").split("\r").pop();
}

function bytes(count) {
  const unit = Math.min(4, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${(count / 1000 ** unit).toPrecision(3)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}
