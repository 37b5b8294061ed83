// A button that puts a secret on the clipboard. Over plain HTTP browsers give no clipboard; then the secret is selected.
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
