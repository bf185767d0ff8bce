// A page that is brought up to date from a newer copy of it.
// Changes `mine` into `fresh` where they differ, and no more: what is open stays open, what has the focus keeps it.
export function bringUp(mine, fresh) {
  // What was said stays, and so does what a form sends unseen: a second press of its button means the same.
  if (mine.isEqualNode(fresh) || mine.dataset?.note !== undefined || mine.type === "hidden") return;
  if (mine.nodeType === Node.TEXT_NODE) {
    mine.data = fresh.data;
    return;
  }
  for (const { name, value } of fresh.attributes) if (mine.getAttribute(name) !== value) mine.setAttribute(name, value);
  for (const { name } of [...mine.attributes]) {
    const ours = name === "open" || name === "aria-disabled";
    if (!ours && !fresh.hasAttribute(name)) mine.removeAttribute(name);
  }
  const kept = new Set();
  let next = mine.firstChild;
  for (const child of [...fresh.childNodes]) {
    const old = like(child, mine, next, kept);
    if (!old) {
      mine.insertBefore(child, next);
      kept.add(child);
      continue;
    }
    kept.add(old);
    if (old === next) next = next.nextSibling;
    else mine.insertBefore(old, next);
    bringUp(old, child);
  }
  for (const child of [...mine.childNodes]) if (!kept.has(child)) child.remove();
}

// The child of `mine` that stands for `child`: the one with its key, or the next one of its sort without a key.
function like(child, mine, next, kept) {
  const key = child.dataset?.key;
  if (key !== undefined) return [...mine.children].find((one) => one.dataset.key === key && !kept.has(one));
  const same = next && next.nodeName === child.nodeName && next.dataset?.key === undefined;
  return same ? next : null;
}
