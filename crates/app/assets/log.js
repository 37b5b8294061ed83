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

// How many lines came.
async function more() {
  if (document.hidden || (!follow.checked && list.children.length >= MAX)) return 0;
  const last = list.lastElementChild?.id.slice(1) ?? "0";
  const answer = await fetch(`${log.dataset.more}&after=${last}`).catch(() => null);
  if (answer?.redirected) location.reload();
  if (!answer?.ok) return 0;
  const part = document.createElement("template");
  part.innerHTML = await answer.text();
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

async function go() {
  const came = await more();
  setTimeout(go, came === PAGE ? 0 : 1500);
}

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
  go();
}
