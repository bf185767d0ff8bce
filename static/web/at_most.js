// Returns what has `act` run soon, once in so many ms at most (`pause` tells), however often it is asked for. Who
// asks while it runs has it run again: what it reads may be older than that.
export function atMostOnceIn(pause, act) {
  let soon = null;
  let asked = false;
  return function ask() {
    asked = true;
    soon ??= setTimeout(async () => {
      asked = false;
      await act().catch(() => undefined);
      soon = null;
      if (asked) ask();
    }, pause());
  };
}
