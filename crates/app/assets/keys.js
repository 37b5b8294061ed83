// Single keys, unless somebody has turned them off: `/` to the search, `g` and a letter to a page.
const PLACES = { j: "/jobs", w: "/workers", p: "/pipelines", h: "/health" };
const isOn = () => localStorage.getItem("keys") !== "off";
for (const choice of document.querySelectorAll("[data-keys]")) {
  choice.disabled = false;
  choice.checked = isOn();
  choice.addEventListener("change", () => localStorage.setItem("keys", choice.checked ? "on" : "off"));
}
let wentAt = -Infinity;
document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  const isTyping = target.closest("input, select, textarea, [contenteditable]");
  if (!isOn() || isTyping || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  const goes = event.timeStamp - wentAt < 1500;
  wentAt = key === "g" ? event.timeStamp : -Infinity;
  if (goes && Object.hasOwn(PLACES, key)) {
    event.stopImmediatePropagation();
    location.assign(PLACES[key]);
  }
  const search = document.querySelector("input[type=search]");
  if (key === "/" && search) {
    event.preventDefault();
    search.focus();
  }
});
