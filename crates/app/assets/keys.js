// Single keys, unless somebody has turned them off: `?` shows them, `/` goes to the search, `g` and a letter to a page, `j` and `k`
// through the rows of a list.
const PLACES = { j: "/jobs", w: "/workers", p: "/pipelines", h: "/health" };
// A row may have more links than the one to its page, which comes first.
const ROWS = "tbody th a:first-of-type, .cards .name, .tile a.photo";
const isOn = () => localStorage.getItem("keys") !== "off";
for (const choice of document.querySelectorAll("[data-keys]")) {
  choice.disabled = false;
  choice.checked = isOn();
  choice.addEventListener("change", () => localStorage.setItem("keys", choice.checked ? "on" : "off"));
}

// The list of keys is the one of the settings. Without JavaScript the link leads there.
const link = document.querySelector("[data-help]");
let dialog = null;
async function help() {
  if (!dialog) {
    const answer = await fetch("/settings/me?part=keys").catch(() => null);
    if (!answer?.ok || answer.redirected) return location.assign(link.href);
    dialog = document.createElement("dialog");
    dialog.className = "help";
    dialog.setAttribute("aria-labelledby", "help");
    dialog.innerHTML = await answer.text();
    dialog.querySelector("button").addEventListener("click", () => dialog.close());
    document.body.append(dialog);
  }
  if (!dialog.open) dialog.showModal();
}
link?.addEventListener("click", (event) => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  help();
});

// The focus goes from row to row, so Enter opens the one that is seen.
function step(by) {
  const rows = [...document.querySelectorAll(`main :is(${ROWS})`)].filter((row) => row.checkVisibility());
  const at = rows.indexOf(document.activeElement);
  const next = at < 0 ? rows.find((row) => row.getBoundingClientRect().top >= 0) : rows[at + by];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  return Boolean(next);
}

// Before the keys of the page, whose `j` is not the second of `g j`.
let wentAt = -Infinity;
const pressed = (event) => {
  const { target, key } = event;
  const isTyping = target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]");
  if (!isOn() || isTyping || event.ctrlKey || event.metaKey || event.altKey || dialog?.open) return;
  const goes = event.timeStamp - wentAt < 1500;
  wentAt = key === "g" ? event.timeStamp : -Infinity;
  const search = document.querySelector("input[type=search]");
  if (goes && Object.hasOwn(PLACES, key)) {
    event.stopImmediatePropagation();
    location.assign(PLACES[key]);
  } else if (key === "/" && search) {
    event.preventDefault();
    search.closest("details")?.setAttribute("open", "");
    search.focus();
  } else if (key === "?" && link) {
    event.preventDefault();
    help();
  } else if ((key === "j" || key === "k") && step(key === "j" ? 1 : -1)) {
    event.preventDefault();
  }
};
document.addEventListener("keydown", pressed, { capture: true });
