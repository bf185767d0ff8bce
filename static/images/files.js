// The files that are chosen: picked or dropped, looked over, taken off the list again.
import { config, fill, plural } from "../web/config.js";
import { number } from "../web/format.js";
import { drawSoon } from "./picture.js";

const byId = (id) => document.getElementById(id);
const items = [];
let onChange = () => undefined;
let locked = false;

export const chosen = () => [...items];
export const toSend = () => items.filter((item) => !item.refused);

export function start(changed) {
  onChange = changed;
  const input = byId("files");
  input.addEventListener("change", () => {
    add([...input.files]);
    input.value = "";
  });
  byId("files-clear").addEventListener("click", () => {
    for (const item of chosen()) drop(item);
    changeFocus(input);
  });
  byId("file-list").addEventListener("click", (event) => {
    const row = event.target.closest(".file-remove")?.closest(".file");
    if (!row || locked) return;
    const next = row.nextElementSibling ?? row.previousElementSibling;
    drop(items.find((item) => item.row === row));
    changeFocus(next?.querySelector(".file-remove") ?? input);
  });
  // The browser keeps what it can of a form that is come back to.
  if (input.files.length) input.dispatchEvent(new Event("change"));
  takeDrops();
}

export function lock(yes) {
  locked = yes;
  byId("form-images").toggleAttribute("data-locked", yes);
}

export function showFault(text) {
  byId("images-files-error").textContent = text;
  byId("files").toggleAttribute("aria-invalid", Boolean(text));
}

export function refuse(item, why) {
  item.refused = why;
  item.image = null;
  showItem(item, why);
}

export function showItem(item, problem = "") {
  const progress = item.row.querySelector("progress");
  progress.hidden = !item.going;
  progress.value = item.share;
  item.row.toggleAttribute("data-uploaded", Boolean(item.image));
  item.row.toggleAttribute("data-refused", Boolean(item.refused));
  item.row.querySelector(".file-error").textContent = problem;
  const size = sizeOf(item.file.size);
  item.row.querySelector(".file-size").textContent = item.image ? `${size} · ${config.images.uploaded}` : size;
}

function add(files) {
  if (locked || !files.length) return;
  if (items.length + files.length > config.mostFiles) {
    showFault(fill(config.images.tooMany, { n: number(items.length + files.length) }));
    return;
  }
  showFault("");
  for (const file of files) {
    const row = byId("file").content.firstElementChild.cloneNode(true);
    const item = { file, row, share: 0, going: false, image: null, refused: "" };
    const name = row.querySelector(".file-name");
    name.textContent = name.title = file.name;
    row.querySelector(".file-remove").setAttribute("aria-label", fill(config.images.remove, { name: file.name }));
    items.push(item);
    byId("file-list").append(row);
    if (file.size > config.mostBytes) refuse(item, config.images.reasons.too_large);
    else drawSoon(file, row.querySelector(".file-picture"));
    showItem(item, item.refused);
  }
  changed();
  byId("announcer").textContent = plural(config.images.added, items.length, { n: number(items.length) });
}

function drop(item) {
  items.splice(items.indexOf(item), 1);
  item.row.remove();
  showFault("");
  changed();
}

function changed() {
  const bytes = items.reduce((sum, item) => sum + item.file.size, 0);
  const files = plural(config.images.files, items.length, { n: number(items.length) });
  byId("files-count").textContent = `${files} · ${sizeOf(bytes)}`;
  byId("files-head").hidden = items.length === 0;
  byId("drop").toggleAttribute("data-some", items.length > 0);
  onChange();
}

function takeDrops() {
  const zone = byId("drop");
  const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
  let depth = 0;
  const over = (step) => (event) => {
    if (!carriesFiles(event)) return;
    depth = Math.max(0, depth + step);
    zone.toggleAttribute("data-over", depth > 0);
  };
  // Anywhere on the page: a file dropped beside the zone would otherwise replace the page.
  addEventListener("dragenter", over(1));
  addEventListener("dragleave", over(-1));
  addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    depth = 0;
    zone.removeAttribute("data-over");
    const entries = [...event.dataTransfer.items].map((one) => one.webkitGetAsEntry?.());
    const files = [...event.dataTransfer.files].filter((_, place) => !entries[place]?.isDirectory);
    if (files.length) add(files);
    else showFault(config.images.folders);
  });
}

function sizeOf(bytes) {
  if (bytes < 1_000_000) return fill(config.images.kB, { n: number(Math.ceil(bytes / 1000)) });
  return fill(config.images.MB, { n: number(Math.round(bytes / 100_000) / 10) });
}

function changeFocus(element) {
  if (element.isConnected) element.focus();
}
