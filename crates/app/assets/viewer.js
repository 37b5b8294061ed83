// Lays boxes over photographs whose size only the browser knows, and makes the page of one image follow the hand. Without it all
// of that is links and a form.
const number = (text) => Number(text ?? "");

// A photograph that does not load leaves its thumbnail, or its frame with the boxes.
function broken(photo, img) {
  const { small } = img.dataset;
  if (small) {
    delete img.dataset.small;
    img.src = small;
  } else {
    img.remove();
    photo.classList.add("broken");
  }
  const told = document.querySelector("[data-broken]");
  if (told && photo.classList.contains("one")) told.hidden = false;
}

// From the pixels that are stored to those that are seen, of a photograph that is seen at this size; as in picture.rs.
const matrix = (turn, w, h) =>
  [
    [1, 0, 0, 1, 0, 0], [-1, 0, 0, 1, w, 0], [-1, 0, 0, -1, w, h], [1, 0, 0, -1, 0, h],
    [0, 1, 1, 0, 0, 0], [0, 1, -1, 0, w, 0], [0, -1, -1, 0, w, h], [0, -1, 1, 0, 0, h],
  ][turn - 1];

// Fits the boxes to a photograph that has come. Browsers turn it as its camera says.
function fit(photo, img) {
  const svg = photo.querySelector("svg.boxes");
  const group = svg.querySelector("[data-turn]");
  const { width: w, height: h } = svg.viewBox.baseVal;
  const [seenW, seenH] = [img.naturalWidth, img.naturalHeight];
  if (!seenW || !seenH) return;
  const far = [0, 0];
  for (const rect of group.querySelectorAll("rect")) {
    far[0] = Math.max(far[0], rect.x.baseVal.value + rect.width.baseVal.value);
    far[1] = Math.max(far[1], rect.y.baseVal.value + rect.height.baseVal.value);
  }
  const fits = (width, height) => far[0] <= width + 1 && far[1] <= height + 1;
  const isUnsized = "unsized" in svg.dataset;
  const isAsked = new URLSearchParams(location.search).has("turn");
  const isSwapped = isUnsized ? !fits(seenW, seenH) && fits(seenH, seenW) : w !== h && w > h !== seenW > seenH;
  const turn = isSwapped && !isAsked && group.dataset.turn === "1" ? 6 : Number(group.dataset.turn);
  if (!isUnsized && turn === Number(group.dataset.turn)) return;
  delete svg.dataset.unsized;
  photo.classList.add("fitted");
  if (isUnsized && far[0] <= 1.5 && far[1] <= 1.5) {
    // In shares of the sides.
    svg.setAttribute("preserveAspectRatio", "none");
    return;
  }
  const size = isUnsized ? [seenW, seenH] : [h, w];
  const [a, b, c, d, e, f] = matrix(turn, ...size);
  svg.setAttribute("viewBox", `0 0 ${size.join(" ")}`);
  group.setAttribute("transform", `matrix(${[a, b, c, d, e, f].join(" ")})`);
  const rects = new Map([...svg.querySelectorAll(".box")].map((box) => [box.dataset.n, box.querySelector("rect")]));
  const letter = Math.max(...size) / 45;
  svg.querySelector("[font-size]")?.setAttribute("font-size", letter);
  for (const text of svg.querySelectorAll("text")) {
    const { x, y, width, height } = rects.get(text.dataset.n).getBBox();
    const corners = [[x, y], [x + width, y + height]].map(([x, y]) => [a * x + c * y + e, b * x + d * y + f]);
    const [top, bottom] = corners.map((corner) => corner[1]).sort((one, other) => one - other);
    text.setAttribute("x", Math.min(...corners.map((corner) => corner[0])));
    text.setAttribute("y", top < letter ? bottom + letter : top - letter * 0.2);
  }
  const told = document.querySelector("[data-turned]");
  if (told && photo.classList.contains("one")) told.hidden = !isSwapped || isAsked;
}

function watch(photo) {
  const img = photo.querySelector("img");
  if (!img) return;
  img.addEventListener("load", () => fit(photo, img));
  img.addEventListener("error", () => broken(photo, img));
  if (img.complete && img.currentSrc) img.naturalWidth ? fit(photo, img) : broken(photo, img);
}
for (const photo of document.querySelectorAll("[data-photo]")) watch(photo);
document.addEventListener("tl-rows", ({ detail }) => {
  for (const row of detail) for (const photo of row.querySelectorAll("[data-photo]")) watch(photo);
});

const one = document.querySelector(".photo.one");
if (one) view();

function view() {
  const form = document.querySelector("form.score");
  const list = document.querySelector(".entries");
  const entries = [...document.querySelectorAll(".entry")];
  // A detection's entry, its box and its letter: looked for once, since an image may have thousands.
  const all = new Map();
  for (const part of document.querySelectorAll("[data-n]")) {
    const { n } = part.dataset;
    all.has(n) ? all.get(n).push(part) : all.set(n, [part]);
  }
  const parts = (n) => all.get(n) ?? [];
  const box = (entry) => parts(entry.dataset.n).find((part) => part.matches(".photo.one .box"));

  // Keeps a choice in the address and in the links that lead on.
  function carry(name, value) {
    const changed = (href) => {
      const url = new URL(href, location.href);
      value ? url.searchParams.set(name, value) : url.searchParams.delete(name);
      return url.pathname + url.search + url.hash;
    };
    history.replaceState(history.state, "", changed(location.href));
    for (const link of document.querySelectorAll("a[data-carry]")) {
      // A link with a choice of its own keeps it.
      if (!(name === "zoom" && "zoom" in link.dataset)) link.setAttribute("href", changed(link.href));
    }
  }

  if (form) {
    const slider = form.elements.min;
    const label = new URLSearchParams(location.search).get("label");
    form.querySelector("button").hidden = true;
    slider.addEventListener("input", () => {
      let taken = 0;
      for (const entry of entries) {
        const isOther = label && !entry.dataset.labelled;
        const isBelow = isOther || (entry.dataset.score !== "" && number(entry.dataset.score) < number(slider.value));
        for (const part of parts(entry.dataset.n)) part.classList.toggle("below", isBelow);
        if (!isBelow) taken += 1;
      }
      const found = `${entries.length.toLocaleString("en")} ${entries.length === 1 ? "detection" : "detections"}`;
      const least = number(slider.value);
      const told = least > 0 ? `${taken} of ${found} at ${least.toFixed(2)} or above` : found;
      form.querySelector("output").textContent = told;
    });
    slider.addEventListener("change", () => carry("min", number(slider.value) > 0 ? slider.value : ""));
    form.elements.hide.addEventListener("change", (event) => {
      for (const part of [one, list]) part.classList.toggle("hides", event.target.checked);
      carry("hide", event.target.checked ? "1" : "");
    });
  }

  const light = (n, on) => parts(n).forEach((part) => part.classList.toggle("lit", on));
  for (const entry of entries) {
    const n = entry.dataset.n;
    for (const [on, off] of [["mouseenter", "mouseleave"], ["focusin", "focusout"]]) {
      entry.addEventListener(on, () => light(n, true));
      entry.addEventListener(off, () => light(n, false));
    }
    const shape = box(entry);
    shape?.addEventListener("mouseenter", () => light(n, true));
    shape?.addEventListener("mouseleave", () => light(n, false));
    shape?.addEventListener("click", () => entry.querySelector("summary").focus());
  }

  const zooms = [...document.querySelectorAll("[data-zoom]")];
  const levels = zooms.map((link) => link.dataset.zoom);
  const zoom = () => levels.findIndex((level) => one.classList.contains(`z${level}`));
  function zoomTo(at) {
    const level = levels[Math.min(Math.max(at, 0), levels.length - 1)];
    const scroll = one.parentElement;
    const [x, y] = [
      (scroll.scrollLeft + scroll.clientWidth / 2) / one.clientWidth,
      (scroll.scrollTop + scroll.clientHeight / 2) / one.clientHeight,
    ];
    for (const link of zooms) {
      one.classList.toggle(`z${link.dataset.zoom}`, link.dataset.zoom === level);
      link.dataset.zoom === level ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
    }
    scroll.scrollTo(x * one.clientWidth - scroll.clientWidth / 2, y * one.clientHeight - scroll.clientHeight / 2);
    carry("zoom", level === "1" ? "" : level);
  }
  for (const link of zooms) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      zoomTo(levels.indexOf(link.dataset.zoom));
    });
  }
  function zoomToEntry() {
    const entry = document.activeElement?.closest?.(".entry") ?? entries[0];
    if (!entry || !box(entry)) return;
    zoomTo(2);
    box(entry).scrollIntoView({ block: "center", inline: "center" });
  }

  // The tools do what keys do, for who has none; a tick is of what is seen.
  const tools = document.querySelector("[data-tools]");
  const ticks = [...tools.querySelectorAll("[data-show]")];
  function show(css) {
    const tick = ticks.find((tick) => tick.dataset.show === css);
    tick.checked = !one.classList.toggle(css);
  }
  for (const tick of ticks) tick.addEventListener("change", () => one.classList.toggle(tick.dataset.show, !tick.checked));
  const full = () => (document.fullscreenElement ? document.exitFullscreen() : one.parentElement.requestFullscreen());
  const button = tools.querySelector("[data-full]");
  button.hidden = !document.fullscreenEnabled;
  button.addEventListener("click", full);
  tools.hidden = false;

  const follow = (css) => document.querySelector(css)?.click();

  // A pinch on a touchpad comes as this, too.
  let turned = 0;
  one.parentElement.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey) return;
      event.preventDefault();
      turned += event.deltaY;
      if (Math.abs(turned) < 40) return;
      zoomTo(zoom() + (turned < 0 ? 1 : -1));
      turned = 0;
    },
    { passive: false },
  );

  // A finger that goes sideways over the whole photograph goes to a neighbour. A larger one is moved by it, and so is a page that
  // is pinched.
  const SWIPE = 48;
  const scroll = one.parentElement;
  let finger = null;
  scroll.addEventListener("touchstart", ({ touches }) => {
    const isWhole = zoom() === 0 && (visualViewport?.scale ?? 1) <= 1;
    finger = isWhole && touches.length === 1 ? touches[0] : null;
  }, { passive: true });
  scroll.addEventListener("touchcancel", () => (finger = null));
  scroll.addEventListener("touchend", ({ changedTouches }) => {
    if (!finger) return;
    const [x, y] = [changedTouches[0].clientX - finger.clientX, changedTouches[0].clientY - finger.clientY];
    finger = null;
    if (Math.abs(x) >= SWIPE && Math.abs(x) > 2 * Math.abs(y)) follow(x < 0 ? "[rel=next]" : "[rel=prev]");
  });

  // What is likely to be seen next is loaded before, unless somebody pays for each byte.
  async function ahead() {
    const link = document.querySelector("[rel=next]");
    if (navigator.connection?.saveData || one.classList.contains("broken") || !link) return;
    const answer = await fetch(link.href).catch(() => null);
    if (!answer?.ok) return;
    const next = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".photo.one > img");
    if (next) Object.assign(new Image(), { referrerPolicy: "no-referrer", src: next.getAttribute("src") });
  }
  const shown = one.querySelector("img");
  if (shown?.complete) ahead();
  else shown?.addEventListener("load", ahead, { once: true });

  const keys = {
    ArrowLeft: () => follow("[rel=prev]"),
    ArrowRight: () => follow("[rel=next]"),
    k: () => follow("[rel=prev]"),
    j: () => follow("[rel=next]"),
    b: () => show("no-boxes"),
    l: () => show("no-letters"),
    "+": () => zoomTo(zoom() + 1),
    "-": () => zoomTo(zoom() - 1),
    0: () => zoomTo(0),
    z: zoomToEntry,
    f: full,
    Escape: () => document.fullscreenElement || follow("[data-back]"),
  };
  const choice = document.querySelector("[data-keys]");
  choice.checked = localStorage.getItem("keys") !== "off";
  choice.addEventListener("change", () => localStorage.setItem("keys", choice.checked ? "on" : "off"));
  document.addEventListener("keydown", (event) => {
    const { target, key } = event;
    const isTyping = target.matches("input:not([type=checkbox]), select, textarea");
    // The arrows scroll a photograph that is larger than its frame.
    const scrolls = key.startsWith("Arrow") && target.matches(".scroll") && zoom() > 0;
    const isElsewhere = isTyping || document.querySelector("dialog[open]");
    if (!choice.checked || isElsewhere || scrolls || event.ctrlKey || event.metaKey || event.altKey || !keys[key]) return;
    event.preventDefault();
    keys[key]();
  });
}
