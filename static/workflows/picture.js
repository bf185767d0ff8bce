// The picture of a workflow, brought up to where its steps stand: as templates/workflows/_graph.html and
// api/workflows/graph.py draw it.
import { config, fill } from "../web/config.js";
import { number } from "../web/format.js";

const BAD = ["FAILED", "CANCELLED"];

// `rows` are the entries of the list, which know layer, kind and status; `changed` are those that have moved.
export function showPicture(page, rows, changed) {
  const stacks = new Set();
  for (const { dataset } of changed) {
    for (const box of page.querySelectorAll(`[data-node="${CSS.escape(dataset.taskId)}"]`)) showNode(page, box, dataset.status);
    stacks.add(dataset.layer).add(`${dataset.layer}/${dataset.kind}`);
  }
  for (const key of stacks) {
    const boxes = page.querySelectorAll(`[data-stack="${CSS.escape(key)}"]`);
    if (!boxes.length) continue;
    const inside = [...rows.values()].filter(({ dataset }) => [dataset.layer, `${dataset.layer}/${dataset.kind}`].includes(key));
    const counts = { PENDING: 0, IN_PROGRESS: 0, RETRYING: 0, DONE: 0, FAILED: 0, CANCELLED: 0 };
    for (const { dataset } of inside) counts[dataset.status] += 1;
    for (const box of boxes) showStack(page, box, counts, inside.length);
  }
}

function showNode(page, box, status) {
  box.querySelector(".flow-icon").setAttribute("href", `#s-${status}`);
  box.querySelector(".flow-word").textContent = status;
  mark(page, box, box.dataset.node, status);
}

function showStack(page, box, counts, all) {
  const bar = box.querySelector(".flow-bar-done");
  bar.setAttribute("width", ((Number(bar.dataset.room) * counts.DONE) / all).toFixed(2));
  const waiting = counts.PENDING + counts.RETRYING;
  const last = counts.CANCELLED && !waiting ? ["CANCELLED", counts.CANCELLED] : ["PENDING", waiting];
  const told = [...["DONE", "IN_PROGRESS", "FAILED"].map((status) => [status, counts[status]]), last];
  for (const [place, part] of [...box.querySelectorAll(".flow-part")].entries()) {
    const [status, n] = told[place];
    part.dataset.count = status;
    part.toggleAttribute("data-none", !n);
    part.querySelector("use").setAttribute("href", `#s-${status}`);
    part.querySelector("text").textContent = fill(config.workflows.parts[status], { n: number(n) });
  }
  mark(page, box, box.dataset.stack, whole(counts));
}

function mark(page, box, key, status) {
  box.dataset.status = status;
  for (const curve of page.querySelectorAll(`[data-from="${CSS.escape(key)}"]`)) curve.toggleAttribute("data-done", status === "DONE");
}

function whole(counts) {
  const present = Object.keys(counts).filter((status) => counts[status]);
  return present.length === 1 ? present[0] : (BAD.find((status) => counts[status]) ?? "IN_PROGRESS");
}
