// A list of what was sent last. An event tells where tasks stand, not what they belong to: the list is read again,
// at most once in `period` ms, and what is on the page is changed in place by `change(old, fresh)`.
import { atMostOnceIn } from "./at_most.js";

const MOST = 20;

// Returns what has the list read again. `key` is the attribute that tells its entries apart.
export function recentList({ list, empty, key, period, change }) {
  function show(page) {
    let place = list.firstElementChild;
    for (const fresh of [...page.querySelectorAll(`#${list.id} > [${key}]`)]) {
      const old = list.querySelector(`[${key}="${CSS.escape(fresh.getAttribute(key))}"]`);
      if (old) {
        change(old, fresh);
        place = old.nextElementSibling;
      } else {
        list.insertBefore(fresh, place);
      }
    }
    while (list.children.length > MOST && !list.lastElementChild.matches(":focus-within")) list.lastElementChild.remove();
    list.hidden = !list.children.length;
    empty.hidden = !list.hidden;
  }

  return atMostOnceIn(
    () => period,
    async () => {
      const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
      const text = answer.ok && !answer.redirected ? await answer.text() : null;
      if (text) show(new DOMParser().parseFromString(text, "text/html"));
    },
  );
}
