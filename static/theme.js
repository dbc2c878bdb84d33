// Dark or light: as the system says, unless the reader has chosen. Loaded in the head, so that no page flashes.
const system = matchMedia("(prefers-color-scheme: dark)");

function chosen() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;
  }
}

function apply() {
  const theme = chosen() ?? (system.matches ? "dark" : "light");
  document.documentElement.dataset.bsTheme = theme;
  const button = document.querySelector("[data-theme-switch]");
  if (button) {
    button.hidden = false;
    button.textContent = theme === "dark" ? "Light" : "Dark";
  }
}

apply();
system.addEventListener("change", apply);
addEventListener("DOMContentLoaded", () => {
  apply();
  document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
    const next = document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("theme", next);
    } catch {
      document.documentElement.dataset.bsTheme = next;
      return;
    }
    apply();
  });
});
