// Runs before the first paint, so that a remembered theme never flashes the other one.
(function () {
  "use strict";
  var remembered = null;
  try {
    remembered = localStorage.getItem("ouzel.theme");
  } catch (_) {
    // Storage may be forbidden; the system's preference is good enough then.
  }
  var light = window.matchMedia("(prefers-color-scheme: light)").matches;
  var theme = remembered === "light" || remembered === "dark" ? remembered : light ? "light" : "dark";
  document.documentElement.dataset.theme = theme;
})();
