// A button that puts a text on the clipboard: a secret of the page, or what is read from an address. Over plain HTTP browsers give
// no clipboard; then the secret is selected, and the address opened.
for (const button of document.querySelectorAll("[data-copy]")) {
  const secret = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard?.writeText(secret.textContent).then(
      () => true,
      () => false,
    );
    if (!copied) getSelection().selectAllChildren(secret);
    button.textContent = copied ? "Copied" : "Selected: Ctrl+C copies it";
  });
}

async function copyFrom(address) {
  const answer = await fetch(address);
  if (!answer.ok || answer.redirected) throw new Error(answer.statusText);
  await navigator.clipboard.writeText(await answer.text());
}
function offer(within) {
  for (const button of within.querySelectorAll("[data-copy-from]")) {
    button.hidden = false;
    button.addEventListener("click", () =>
      copyFrom(button.dataset.copyFrom).then(
        () => (button.textContent = "Copied"),
        () => location.assign(button.dataset.copyFrom),
      ),
    );
  }
}
offer(document);
document.addEventListener("tl-part", (event) => offer(event.detail));
