// Goes on with a page that looked at as many images as it may and found too few: up to ten times, by the link that a hand would
// press. Where it stops, the link is there.
const TURNS = 10;

async function read(address) {
  const answer = await fetch(address).catch(() => null);
  if (!answer?.ok || answer.redirected) return null;
  const text = await answer.text().catch(() => "");
  return new DOMParser().parseFromString(text, "text/html").querySelector("[data-found]");
}

async function goOn(region) {
  const rows = region.querySelector("[data-rows]");
  const isFirst = !region.querySelector("[data-first]");
  let looked = 0;
  for (let turn = 0; turn <= TURNS; turn += 1) {
    const pages = region.querySelector(".pages");
    const link = pages?.querySelector("a[data-more]");
    const found = rows.children.length;
    looked += Number(pages?.dataset.looked ?? 0);
    const told = pages?.querySelector("[data-told]");
    if (told) told.textContent = `${looked.toLocaleString("en")} images looked at, ${found} found. `;
    const empty = region.querySelector(".empty");
    if (found > 0) empty?.remove();
    else if (!link && empty) empty.querySelector("p").textContent = region.dataset.none;
    if (!link || found >= Number(region.dataset.most) || turn === TURNS) break;
    region.setAttribute("aria-busy", "true");
    const next = await read(link.href);
    // In another order it would begin again.
    if (!next || "anew" in next.dataset) break;
    const added = [...next.querySelector("[data-rows]").children];
    rows.append(...added);
    if (added.length > 0) region.querySelector("[data-list]").hidden = false;
    const rest = next.querySelector(".pages");
    if (isFirst) rest?.querySelector("[data-first]")?.remove();
    const isIn = pages.contains(document.activeElement);
    rest ? pages.replaceWith(rest) : pages.remove();
    if (isIn) (rest?.querySelector("a") ?? region.querySelector("[data-rows] a"))?.focus();
    document.dispatchEvent(new CustomEvent("tl-rows", { detail: added }));
  }
  region.removeAttribute("aria-busy");
}

const region = document.querySelector("[data-found]");
if (region) goOn(region);
