// How far a group has come, as a bar and in words: as templates/images/_group.html and
// api/images/wording.py write it.
import { config, fill } from "../web/config.js";
import { number } from "../web/format.js";

export function counted(counts, all) {
  const names = Object.fromEntries(Object.entries(counts).map(([status, n]) => [status, number(n)]));
  const { counted: done, others } = config.images;
  const parts = Object.entries(others).filter(([status]) => counts[status]);
  return [done, ...parts.map(([, text]) => text)].map((text) => fill(text, { ...names, all: number(all) })).join(" · ");
}

const percent = new Intl.NumberFormat(config.language, { style: "percent" });

// Rounded down: what is not all is not 100 %.
export const share = (done, all) => percent.format(Math.floor((100 * done) / all) / 100);

export function fillBar(bar, counts, all, words) {
  let x = 0;
  for (const part of bar.querySelectorAll("[data-part]")) {
    const width = (100 * (counts[part.dataset.part] ?? 0)) / all;
    set(part, "x", `${x.toFixed(3)}%`);
    set(part, "width", `${width.toFixed(3)}%`);
    x += width;
  }
  set(bar, "aria-valuenow", String(counts.DONE));
  set(bar, "aria-valuetext", words);
}

// A bar that the server has drawn again, copied onto the one that is there, which may move there slowly.
export function copyBar(bar, fresh) {
  for (const name of ["aria-valuenow", "aria-valuetext"]) set(bar, name, fresh.getAttribute(name));
  for (const part of fresh.querySelectorAll("[data-part]")) {
    const old = bar.querySelector(`[data-part="${part.dataset.part}"]`);
    for (const name of ["x", "width"]) set(old, name, part.getAttribute(name));
  }
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
