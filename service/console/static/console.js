// What every page does: stays fresh, obeys the keyboard, copies.
import { refreshing } from "./fresh.js";
import { follow } from "./follow.js";

const main = document.querySelector("main");

const refresh = refreshing(main);
if (main.dataset.job) follow(main, refresh);

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
});

document.addEventListener("change", (event) => {
  if (event.target.matches(".filter :is([type=radio], select)")) event.target.form.requestSubmit();
});

const PAGES = { b: "/", w: "/workers", t: "/trends" };
let going = false;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=radio]), select")) return;
  const go = going && PAGES[event.key];
  going = event.key === "g";
  if (go) location.assign(go);
  else if (event.key === "/") focus(event, document.querySelector("[data-search]"));
  else if (event.key === "j") focus(event, neighbour(1));
  else if (event.key === "k") focus(event, neighbour(-1));
});

function neighbour(step) {
  const rows = [...document.querySelectorAll("[data-row], .step:not([hidden]) > summary")];
  const at = rows.indexOf(document.activeElement);
  return rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))];
}

function focus(event, element) {
  if (!element) return;
  event.preventDefault();
  element.focus();
}
