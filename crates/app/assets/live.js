// Keeps the numbers of the jobs on this page as they are now. Without it a page shows what was so when it was read.
const places = (id) => document.querySelectorAll(`[data-job="${id}"]`);
const shown = () => new Set([...document.querySelectorAll("[data-job]")].map((place) => place.dataset.job));
const COUNTED = ["processed", "failed", "in-flight", "waiting"];
// What is said of images that a page does not show yet.
const MORE = {
  processed: (n) => `${n.toLocaleString("en")} more ${n === 1 ? "image is" : "images are"} done`,
  failed: (n) => `${n.toLocaleString("en")} more failed since`,
};
// A stream that says nothing for so long, in ms, has no server behind it any more: it beats every 5 s.
const SILENCE = 11000;
// How long a page waits that gets no stream, before it asks again: soon at first, since its last stream may have its place still.
const UNTIL_ASKED = 10000;
let refused = 0;
const FOLDS = "[data-fold] > summary";
const NEAR = 24 * 3600 * 1000;
// Rows never move under the cursor: new ones are announced.
const news = document.querySelector("[data-newest]");
// Parts that are read again when the stream says so; those of no topic are read every 10 s.
const parts = [...document.querySelectorAll("[data-part]")];
const log = document.querySelector("[data-log]");
const topics = new Set(parts.map((part) => part.dataset.topic).filter(Boolean));
if (log) topics.add(`log:${log.dataset.log}`);
const kinds = new Set(parts.map((part) => part.dataset.kind).filter(Boolean));
const page = document.querySelector("[data-page]");
const banner = document.getElementById("away");
const said = document.getElementById("said");
// What is known of each job: an event has only what is another than before.
let told = new Map();
// The jobs that the stream was asked for.
let asked_for = new Set();
let source = null;
let wait = 1000;
let heardAt = Date.now();
let silentSince = null;
let isStoreAway = false;
let wasOpen = false;
// How far the server's clock is ahead of this one, in ms.
let ahead = null;
let spoken = null;

const set = (place, name, text) => {
  const field = place.querySelector(`[data-f="${name}"]`);
  if (field && field.textContent !== text) field.textContent = text;
};

const total = (parts) => parts.reduce((sum, n) => sum + n, 0).toLocaleString("en");

// To those who listen: a new state, and each quarter.
function speak(job) {
  const now = { word: job.state[0], quarter: Math.floor(job.percent / 25) * 25 };
  if (said && spoken?.word !== undefined) {
    if (now.word !== spoken.word) said.textContent = now.word;
    else if (now.quarter > spoken.quarter && now.quarter < 100) said.textContent = `${now.quarter}% done`;
  }
  spoken = now;
}

// A job that has not moved for a while is explained without being asked.
function explain() {
  const why = document.getElementById("why");
  if (!why?.hidden) return;
  why.hidden = false;
  why.open = true;
  document.querySelector("[data-ask]")?.remove();
}

function show(place, job) {
  // What was read before the page was is of a run before it.
  if (parseInt(job.key, 10) < parseInt(place.dataset.key, 10)) return;
  if ("page" in place.dataset) document.title = job.title;
  if (document.hidden) return;
  if (place.dataset.key !== job.key && "page" in place.dataset) {
    // Another state has other buttons, which the server knows.
    location.reload();
    return;
  }
  if ("page" in place.dataset) {
    speak(job);
    if (job.quiet) explain();
  }
  if ("had" in place.dataset) {
    const { had, of } = place.dataset;
    const more = job.n[COUNTED.indexOf(of)] - Number(had);
    place.hidden = more <= 0;
    set(place, "more", MORE[of](more));
    return;
  }
  for (const name of ["sentence", "rate"]) set(place, name, job[name]);
  set(place, "settled", total(job.n.slice(0, 2)));
  for (const name of ["total", "images"]) set(place, name, total(job.n));
  set(place, "failed", job.n[1] ? total([job.n[1]]) : "");
  const failed = place.querySelector("a[data-f=failed]");
  if (job.n[1]) failed?.setAttribute("href", `/jobs/${job.id}/images?state=failed`);
  else failed?.removeAttribute("href");
  const end = place.querySelector("[data-end]");
  if (end) show_end(end, job);
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
}

// When a job ended, or about when it will.
function show_end(cell, { ended, left }) {
  cell.dataset.label = ended ? "Ended" : "Ends";
  let at = cell.querySelector(ended ? "time" : "span");
  if (!at) {
    at = document.createElement(ended ? "time" : "span");
    at.className = "whole";
    cell.replaceChildren(at);
  }
  if (!ended) {
    at.textContent = left ? `in about ${left}` : "";
    return;
  }
  const known = Date.parse(at.dateTime);
  if (Math.abs(known - ended * 1000) < 1000) return;
  const time = new Date(ended * 1000);
  at.dateTime = time.toISOString();
  at.dataset.age = "";
  at.textContent = time.toLocaleString();
  tick();
}

const about = (ms) => {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  return s < 3600 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h`;
};

// Ages grow while a page is open.
function tick() {
  if (ahead === null || document.hidden) return;
  for (const time of document.querySelectorAll("time[data-age]")) {
    const by = Date.now() + ahead - Date.parse(time.dateTime);
    if (Math.abs(by) >= NEAR) continue;
    const text = Math.abs(by) < 1000 ? "just now" : by > 0 ? `${about(by)} ago` : `in ${about(-by)}`;
    if (time.textContent !== text) time.textContent = text;
  }
}
setInterval(tick, 5000);

// What an event does, by its name.
const on = {
  hello({ build, now }) {
    isStoreAway = false;
    ahead = now - Date.now();
    document.getElementById("updated")?.toggleAttribute("hidden", build === document.body.dataset.build);
  },
  beat() {},
  resync() {
    isStoreAway = false;
    for (const part of parts) soon(part);
    if (log) document.dispatchEvent(new CustomEvent("newlines"));
  },
  away() {
    isStoreAway = true;
    say_away("The server can't reach its store");
  },
  jobs(jobs) {
    const now = jobs.map((job) => {
      told.set(job.id, { ...told.get(job.id), ...job });
      return told.get(job.id);
    });
    const draw = () => {
      for (const job of now) for (const place of places(job.id)) show(place, job);
    };
    // No frame comes while a tab is hidden, and its title is wanted.
    if (document.hidden) draw();
    else requestAnimationFrame(draw);
  },
  job({ id, parts: due, log: newest }) {
    for (const part of parts) {
      if (part.dataset.topic === `job:${id}` && due?.includes(part.dataset.kind)) soon(part);
    }
    if (newest !== undefined) document.dispatchEvent(new CustomEvent("newlines"));
  },
  // Cards that are as they should be stay: somebody may be about to press one.
  now({ jobs }) {
    const is = jobs.join(" ");
    for (const part of parts) {
      const cards = [...part.querySelectorAll("[data-job]")].map((card) => [card.dataset.job, card.dataset.key]);
      if (part.dataset.topic?.split(":")[0] === "now" && cards.join(" ") !== is) again(part, 0);
    }
  },
  news({ n }) {
    news.querySelector("span").textContent = n === 1 ? "1 new job" : `${n > 99 ? "99+" : n} new jobs`;
    news.hidden = false;
  },
  seen(workers) {
    for (const [id, at] of workers) {
      for (const time of document.querySelectorAll(`[data-id="${id}"] [data-seen] time`)) {
        time.dateTime = new Date(at * 1000).toISOString();
        time.dataset.age = "";
      }
    }
    tick();
  },
  bye({ retry_ms }) {
    close();
    setTimeout(open, retry_ms);
  },
};
for (const topic of ["workers", "worker", "health"]) {
  on[topic] = () => {
    for (const part of parts) if (part.dataset.topic?.split(":")[0] === topic) again(part, 0);
  };
}

function heard() {
  heardAt = Date.now();
  wait = 1000;
  if (isStoreAway) return;
  if (silentSince) for (const part of parts) soon(part);
  silentSince = null;
  if (banner) banner.hidden = true;
  document.body.classList.remove("stale");
}

function say_away(why) {
  silentSince ??= new Date(heardAt);
  if (!banner) return;
  banner.textContent = `${why} since ${silentSince.toLocaleTimeString()}. What you see is from then.`;
  banner.hidden = false;
  document.body.classList.add("stale");
}

function asked() {
  asked_for = shown();
  const jobs = [...asked_for].slice(0, 200).join(",");
  return new URLSearchParams({ jobs, topics: [...topics].join(","), parts: [...kinds].join(","), ...news?.dataset });
}

function open() {
  if (source || document.hidden || (shown().size === 0 && !news && topics.size === 0)) return;
  source = new EventSource(`/live?${asked()}`);
  told = new Map();
  heardAt = Date.now();
  for (const name of Object.keys(on)) {
    source.addEventListener(name, (event) => {
      on[name](JSON.parse(event.data));
      heard();
    });
  }
  if (wasOpen) for (const part of parts) soon(part);
  wasOpen = true;
  source.addEventListener("open", () => (refused = 0));
  source.addEventListener("error", lost);
}

// Asks once how all stands; returns the answer, if one came.
async function ask() {
  const signal = AbortSignal.timeout(5000);
  const answer = await fetch(`/live?${asked()}&once=1`, { redirect: "manual", signal }).catch(() => null);
  const text = answer?.ok ? await answer.text().catch(() => "") : "";
  for (const event of text.split("\n\n")) {
    const name = /^event: ?(.*)$/m.exec(event)?.[1];
    const data = /^data: ?(.*)$/m.exec(event)?.[1];
    if (name && data && Object.hasOwn(on, name)) on[name](JSON.parse(data));
  }
  return answer;
}

// There is no stream: the server is away, or has given its places to others, which is told apart by asking.
async function lost() {
  close();
  silentSince ??= new Date(heardAt);
  const answer = await ask();
  if (answer?.ok) {
    heard();
    setTimeout(open, Math.min(UNTIL_ASKED, 500 * 2 ** refused++));
    return;
  }
  setTimeout(open, wait * (0.5 + Math.random()));
  wait = Math.min(wait * 2, 30000);
  if (answer?.type === "opaqueredirect") {
    say_away("You are signed out");
    banner?.append(" Read the page again to sign in.");
  } else if (answer?.status >= 400 && answer.status < 500) say_away("Nothing is told of this page");
  else if (Date.now() - silentSince > 5000) say_away("No answer");
}

function close() {
  source?.close();
  source = null;
}

// Each part is to be read again once, however often that is said.
const timers = new Map();
function again(part, after) {
  if (!timers.has(part)) timers.set(part, setTimeout(reread, after, part));
}

// Not all pages that show a job ask at once.
function soon(part) {
  again(part, Math.random() * 2000);
}

// Whether somebody is in a part. What folds is found again after it, with the focus.
function is_held(part) {
  return part.contains(document.activeElement) && !document.activeElement.matches(FOLDS);
}

// A part that is open is read again, unless it stays as it is; while somebody is in it, it waits.
async function reread(part, isMeant = false) {
  clearTimeout(timers.get(part));
  timers.delete(part);
  if (document.hidden || part.querySelector("[data-final]") || part.closest("details")?.open === false) return;
  if (!isMeant && is_held(part)) {
    again(part, 5000);
    return;
  }
  part.setAttribute("aria-busy", "true");
  const answer = await fetch(part.dataset.part).catch(() => null);
  part.removeAttribute("aria-busy");
  const html = answer?.ok ? await answer.text().catch(() => null) : null;
  if (answer?.redirected) location.reload();
  else if (html === null) say_unread(part, answer?.ok ? null : answer);
  else if (!isMeant && is_held(part)) again(part, 5000);
  else show_part(part, html);
}

function say_unread(part, answer) {
  part.querySelector(":scope > .unread")?.remove();
  const note = document.createElement("p");
  note.className = "notice warn unread";
  note.setAttribute("role", "status");
  const what = answer ? ` (${answer.status}, request ${answer.headers.get("x-request-id")})` : "";
  const again = document.createElement("button");
  again.type = "button";
  again.textContent = "Try again";
  again.addEventListener("click", () => reread(part, true));
  note.append(`Could not be read just now${what}. `, again);
  part.prepend(note);
}

// What folds in a part, by what it is of.
const folds = (of) => new Map([...of.querySelectorAll("[data-fold]")].map((fold) => [fold.dataset.fold, fold]));

// What is open stays open, and what is closed closed. Rows that have an id stay where they are; new ones come after them.
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
  const before = folds(part);
  for (const [name, fold] of folds(read.content)) fold.open = before.get(name)?.open ?? fold.open;
  const held = part.contains(document.activeElement) && document.activeElement.closest("[data-fold]")?.dataset.fold;
  part.replaceChildren(read.content);
  document.dispatchEvent(new CustomEvent("tl-part", { detail: part }));
  if (held) folds(part).get(held)?.querySelector("summary").focus({ preventScroll: true });
  // A job that was not shown before has no number in the stream that is open.
  if (source && [...shown()].some((id) => !asked_for.has(id))) {
    close();
    open();
  }
}
for (const part of parts) {
  if (!part.dataset.topic) setInterval(reread, 10000, part);
  part.closest("details")?.addEventListener("toggle", () => reread(part));
}

setInterval(() => source && Date.now() - heardAt > SILENCE && lost(), 1000);
// A hidden tab holds no stream, and keeps its title.
setInterval(() => document.hidden && page && ask(), 60000);
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
addEventListener("pagehide", close);
addEventListener("pageshow", open);
open();
