// One group: its tiles, its bar, and what was said of it. Tiles change in place and keep their size.
import { cancelByScript } from "../web/cancel.js";
import { config, fill, strings } from "../web/config.js";
import { tell } from "../web/done.js";
import { number } from "../web/format.js";
import { ended, fillStatus, isNews } from "../web/row.js";
import { counted, fillBar, share } from "./bar.js";
import { takeNotes } from "./refused.js";

const byId = (id) => document.getElementById(id);
const page = byId("group");
const tiles = new Map();

export function start() {
  for (const tile of byId("gallery").children) tiles.set(tile.dataset.taskId, tile);
  for (const picture of page.querySelectorAll(".tile-result img")) watch(picture);
  takeNotes(config.groupId, byId("refused"));
  cancelByScript(byId("form-cancel"), byId("group-told"));
}

export const waits = () => !page.hasAttribute("data-ended");

export function apply(tasks) {
  const mine = tasks.filter((task) => tiles.has(task.id));
  for (const task of mine) show(tiles.get(task.id), task);
  if (mine.length) showGroup();
}

// Too much was missed to follow: where each task stands now is asked for once.
export async function reload() {
  const answer = await fetch(config.groupDataUrl).catch(() => null);
  if (answer?.ok) apply((await answer.json()).group.tasks);
}

function show(tile, task) {
  const progress = tile.querySelector("progress");
  const { status, attempt } = tile.dataset;
  if (!isNews({ status, attempt: Number(attempt), progress: progress.value }, task)) return;
  Object.assign(tile.dataset, { status: task.status, attempt: task.attempt });
  fillStatus(tile.querySelector(".badge-status"), task.status);
  progress.value = task.progress;
  tile.querySelector(".tile-told").textContent = task.error ?? "";
  tile.querySelector(".tile-more").textContent = more(task);
  if (task.status === "DONE" && task.result?.image) showResult(tile, task);
}

function more(task) {
  if (task.cancel_requested_at && !ended(task.status)) return strings.cancelRequested;
  return task.attempt > 1 ? fill(strings.attempt, { n: task.attempt }) : "";
}

function showResult(tile, { id, result }) {
  const address = config.resultUrl.replace("ID", encodeURIComponent(id));
  const picture = new Image();
  Object.assign(picture, {
    src: config.previewUrl.replace("ID", encodeURIComponent(id)),
    alt: fill(config.images.alt, { name: tile.querySelector(".tile-name").textContent }),
    loading: "lazy",
    decoding: "async",
  });
  watch(picture);
  const link = tile.querySelector(".tile-result");
  link.replaceChildren(picture);
  link.href = address;
  link.hidden = false;
  const save = tile.querySelector(".tile-save");
  save.href = `${address}?download=1`;
  save.hidden = false;
  save.querySelector(".tile-result-size").textContent = `${number(result.width)} × ${number(result.height)}`;
  tile.toggleAttribute("data-shown", true);
}

// A page may stay open for longer than results are kept.
function watch(picture) {
  picture.addEventListener("error", () => {
    const tile = picture.closest(".tile");
    tile.removeAttribute("data-shown");
    for (const link of tile.querySelectorAll(".tile-result, .tile-save")) link.hidden = true;
    tile.querySelector(".tile-told").textContent = config.images.gone;
    showArchive();
  });
}

function showGroup() {
  const counts = { PENDING: 0, IN_PROGRESS: 0, RETRYING: 0, DONE: 0, FAILED: 0, CANCELLED: 0 };
  for (const tile of tiles.values()) counts[tile.dataset.status] += 1;
  const words = counted(counts, tiles.size);
  fillBar(page.querySelector(".group-bar"), counts, tiles.size, words);
  byId("counted").textContent = words;
  byId("share").textContent = share(counts.DONE, tiles.size);
  showArchive();
  const over = [...tiles.values()].every((tile) => ended(tile.dataset.status));
  if (!over || page.hasAttribute("data-ended")) return;
  page.toggleAttribute("data-ended", true);
  const cancel = byId("form-cancel");
  if (cancel.contains(document.activeElement)) page.querySelector("h1").focus();
  cancel.hidden = true;
  tell(fill(config.images.ended, { counts: words }), counts.DONE < tiles.size);
}

function showArchive() {
  const n = byId("gallery").querySelectorAll("[data-shown]").length;
  byId("archive").hidden = n === 0;
  byId("archive-count").textContent = number(n);
}
