// Follows a job's log while its end is in view. Whoever scrolls up is left where they are.
const MAX = 2000;
const PAGE = 200;
const log = document.getElementById("log");
const list = log.querySelector("ol");
const news = document.getElementById("news");
const label = document.getElementById("follow");
const follow = label.querySelector("input");
let unseen = 0;

const isAtEnd = () => log.scrollHeight - log.scrollTop - log.clientHeight < 32;
function toEnd() {
  log.scrollTop = log.scrollHeight;
  unseen = 0;
  news.hidden = true;
}

// How many lines came. What could not be read is read later, as nothing may be written any more.
async function more() {
  if (document.hidden || (!follow.checked && list.children.length >= MAX)) return 0;
  const last = list.lastElementChild?.id.slice(1) ?? "0";
  const answer = await fetch(`${log.dataset.more}&after=${last}`).catch(() => null);
  if (answer?.redirected) location.reload();
  const text = answer?.ok ? await answer.text().catch(() => null) : null;
  if (text === null) {
    setTimeout(go, 5000);
    return 0;
  }
  const part = document.createElement("template");
  part.innerHTML = text;
  const lines = [...part.content.children];
  if (lines.length === 0) return 0;
  log.querySelector(".empty")?.remove();
  list.append(...lines);
  if (follow.checked) {
    while (list.children.length > MAX) list.firstElementChild.remove();
    toEnd();
  } else {
    unseen += lines.length;
    news.textContent = `${unseen} new ${unseen === 1 ? "line" : "lines"} ↓`;
    news.hidden = false;
  }
  return lines.length;
}

// Whether lines are read just now, and whether there was news meanwhile.
let isReading = false;
let isAsked = false;
async function go() {
  isAsked = true;
  if (isReading) return;
  isReading = true;
  while (isAsked) {
    isAsked = false;
    isAsked = (await more()) === PAGE || isAsked;
  }
  isReading = false;
}

// A line that is older than those that are here.
const line = /^#l(\d+)$/.exec(location.hash)?.[1];
if (line && !document.getElementById(`l${line}`) && !new URLSearchParams(location.search).has("before")) {
  const query = new URLSearchParams(location.search);
  query.set("before", String(Number(line) + PAGE / 4));
  location.replace(`${location.pathname}?${query}${location.hash}`);
}

// `n` and `p` go to the next error and the one before.
let at = null;
document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (localStorage.getItem("keys") === "off" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (target.closest("input:not([type=checkbox]), select, textarea") || !["n", "p"].includes(key)) return;
  const bad = [...list.querySelectorAll(".fail")];
  const here = bad.indexOf(at);
  const next = key === "n" ? bad[here + 1] : here < 0 ? bad.at(-1) : bad[here - 1];
  if (!next) return;
  at = next;
  follow.checked = false;
  next.scrollIntoView({ block: "center" });
  next.querySelector("a").focus({ preventScroll: true });
});

if (!location.hash) toEnd();
if (log.dataset.more) {
  label.hidden = false;
  follow.checked = isAtEnd();
  log.addEventListener("scroll", () => {
    follow.checked = isAtEnd();
    if (follow.checked) toEnd();
  });
  follow.addEventListener("change", () => follow.checked && toEnd());
  news.addEventListener("click", toEnd);
  document.addEventListener("newlines", go);
  document.addEventListener("visibilitychange", () => document.hidden || go());
}
