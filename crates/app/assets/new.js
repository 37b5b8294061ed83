// Counts again what a job would do when something about it is changed. Without it there is a button.
const form = document.getElementById("start");
const ahead = document.getElementById("ahead");
let turn = 0;

form.addEventListener("change", async ({ target }) => {
  target.removeAttribute("aria-invalid");
  const mine = ++turn;
  ahead.setAttribute("aria-busy", "true");
  const chosen = `${location.pathname}?${new URLSearchParams(new FormData(form))}`;
  const answer = await fetch(`${chosen}&part=ahead`).catch(() => null);
  const text = answer?.ok && !answer.redirected ? await answer.text() : null;
  if (mine !== turn) return;
  ahead.removeAttribute("aria-busy");
  if (answer?.redirected) location.href = chosen;
  else if (text !== null) ahead.innerHTML = text;
});
document.getElementById("again").hidden = true;
