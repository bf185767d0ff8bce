// Runs before the first paint, so that no page flashes in the other theme.
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function wish() {
    try {
      return localStorage.getItem("theme") ?? "auto";
    } catch {
      return "auto";
    }
  }

  function keep(theme) {
    try {
      localStorage.setItem("theme", theme);
    } catch {
      // Without storage the choice lasts for this page.
    }
  }

  function apply(theme) {
    root.dataset.bsTheme = theme === "light" || theme === "dark" ? theme : dark.matches ? "dark" : "light";
    for (const button of document.querySelectorAll("[data-theme]")) {
      button.setAttribute("aria-pressed", String(button.dataset.theme === theme));
    }
  }

  apply(wish());
  dark.addEventListener("change", () => apply(wish()));
  document.addEventListener("DOMContentLoaded", () => {
    const group = document.getElementById("theme");
    if (!group) return;
    group.hidden = false;
    group.addEventListener("click", (event) => {
      const button = event.target.closest("[data-theme]");
      if (!button) return;
      keep(button.dataset.theme);
      apply(button.dataset.theme);
    });
    apply(wish());
  });
})();
