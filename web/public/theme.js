// Before the first paint: the theme that was chosen, or the system's, so that nothing flashes.
(() => {
  let chosen = null;
  try {
    chosen = localStorage.getItem("borsa.theme");
  } catch {
    // a browser without storage has the system's theme
  }
  const light = matchMedia("(prefers-color-scheme: light)").matches;
  document.documentElement.dataset.theme = chosen === "dark" || chosen === "light" ? chosen : light ? "light" : "dark";
})();
