// Keeps the numbers of the jobs on this page as they are now. Without it a page shows what was so when it was read.
const places = new Map();
for (const place of document.querySelectorAll("[data-job]")) {
  const id = place.dataset.job;
  places.set(id, [...(places.get(id) ?? []), place]);
}
const COUNTED = ["processed", "failed", "in-flight", "waiting"];
// Rows never move under the cursor: new ones are announced.
const news = document.querySelector("[data-newest]");
// Parts that are read again when the stream says that their topic has changed; the others are read every 10 s.
const parts = [...document.querySelectorAll("[data-part]")];
const topics = [...new Set(parts.map((part) => part.dataset.topic).filter(Boolean))];
const banner = document.getElementById("away");
// What is known of each job: an event has only what is another than before.
let told = new Map();
let source = null;
let wait = 1000;
let silentSince = null;

const set = (place, name, text) => {
  const field = place.querySelector(`[data-f="${name}"]`);
  if (field && field.textContent !== text) field.textContent = text;
};

const total = (parts) => parts.reduce((sum, n) => sum + n, 0).toLocaleString("en");

function show(place, job) {
  // What was read before the page was is of a run before it.
  if (parseInt(job.key, 10) < parseInt(place.dataset.key, 10)) return;
  if (place.dataset.key !== job.key && "page" in place.dataset) {
    // Another state has other buttons, which the server knows.
    location.reload();
    return;
  }
  if ("had" in place.dataset) {
    const more = job.n[0] - Number(place.dataset.had);
    place.hidden = more <= 0;
    set(place, "more", `${more.toLocaleString("en")} more ${more === 1 ? "image is" : "images are"} done`);
    return;
  }
  for (const name of ["sentence", "rate"]) set(place, name, job[name]);
  set(place, "settled", total(job.n.slice(0, 2)));
  set(place, "total", total(job.n));
  set(place, "failed", job.n[1] ? total([job.n[1]]) : "");
  set(place, "left", job.left ? `in about ${job.left}` : "");
  const state = place.querySelector(".state");
  if (state) {
    state.className = `state ${job.state[1]}`;
    state.querySelector("[data-f=icon]").textContent = job.state[2];
    set(place, "word", job.state[0]);
  }
  const bar = place.querySelector(".progress");
  if (bar) {
    bar.setAttribute("aria-valuenow", job.percent);
    bar.setAttribute("aria-valuetext", job.sentence);
    bar.querySelectorAll("rect").forEach((rect, at) => {
      rect.setAttribute("x", job.bar[at][0]);
      rect.setAttribute("width", job.bar[at][1]);
    });
  }
  job.n.forEach((n, at) => {
    for (const shown of place.querySelectorAll(`[data-n="${COUNTED[at]}"]`)) shown.textContent = total([n]);
  });
  if (place.dataset.key !== job.key) {
    for (const stale of place.querySelectorAll("[data-stale]")) stale.hidden = true;
  }
  if ("page" in place.dataset) document.title = job.title;
}

function heard() {
  silentSince = null;
  wait = 1000;
  if (banner) banner.hidden = true;
}

function open() {
  if (source || document.hidden || (places.size === 0 && !news && topics.length === 0)) return;
  const jobs = [...places.keys()].slice(0, 200).join(",");
  const asked = new URLSearchParams({ jobs, topics: topics.join(","), ...news?.dataset });
  source = new EventSource(`/live?${asked}`);
  told = new Map();
  source.addEventListener("hello", (event) => {
    heard();
    const is_other = JSON.parse(event.data).build !== document.body.dataset.build;
    document.getElementById("updated")?.toggleAttribute("hidden", !is_other);
  });
  source.addEventListener("news", (event) => {
    const { n } = JSON.parse(event.data);
    news.querySelector("span").textContent = n === 1 ? "1 new job" : `${n > 99 ? "99+" : n} new jobs`;
    news.hidden = false;
  });
  for (const topic of topics) {
    source.addEventListener(topic, () => {
      heard();
      for (const part of parts) if (part.dataset.topic === topic) reread(part);
    });
  }
  source.addEventListener("jobs", (event) => {
    heard();
    const jobs = JSON.parse(event.data).map((job) => {
      told.set(job.id, { ...told.get(job.id), ...job });
      return told.get(job.id);
    });
    requestAnimationFrame(() => {
      for (const job of jobs) for (const place of places.get(String(job.id)) ?? []) show(place, job);
    });
  });
  source.addEventListener("error", async () => {
    close();
    setTimeout(open, wait * (0.5 + Math.random()));
    wait = Math.min(wait * 2, 30000);
    silentSince ??= new Date();
    if (!banner || Date.now() - silentSince <= 5000) return;
    const then = silentSince.toLocaleTimeString();
    const page = await fetch(location.pathname, { method: "HEAD", redirect: "manual" }).catch(() => null);
    banner.textContent =
      page?.type === "opaqueredirect"
        ? `You are signed out since ${then}, and what you see is from then. Read the page again to sign in.`
        : `No answer since ${then}. What you see is from then.`;
    banner.hidden = silentSince === null;
  });
}

function close() {
  source?.close();
  source = null;
}

// A part that is open is read again, unless somebody is in it or it stays as it is.
async function reread(part) {
  const isUsed = part.contains(document.activeElement) || part.querySelector("details[open]");
  const isFinal = part.querySelector("[data-final]");
  if (document.hidden || isUsed || isFinal || part.closest("details")?.open === false) return;
  const answer = await fetch(part.dataset.part).catch(() => null);
  if (answer?.redirected) location.reload();
  else if (answer?.ok) show_part(part, await answer.text());
}

// Rows that have an id stay where they are; new ones come after them.
function show_part(part, html) {
  const read = document.createElement("template");
  read.innerHTML = html;
  const [old, now] = [part, read.content].map((of) => of.querySelector("tbody"));
  const known = new Map([...(old?.rows ?? [])].map((row) => [row.dataset.id, row]));
  if (now && !known.has(undefined)) {
    const rows = new Map([...now.rows].map((row) => [row.dataset.id, row]));
    const stay = [...known.keys()].filter((id) => rows.has(id));
    now.prepend(...stay.map((id) => rows.get(id)));
  }
  part.replaceChildren(read.content);
}
for (const part of parts) if (!part.dataset.topic) setInterval(reread, 10000, part);

document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", close);
addEventListener("pageshow", open);
open();
