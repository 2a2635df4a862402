// A point says what it is in the line below the plot; two ticks at most are compared; columns that
// are as usual leave the address.
(() => {
  const said = (event) => event.target.closest?.(".point");
  const tell = (event) => {
    const point = said(event);
    const line = point?.closest("figure").querySelector("[data-readout]");
    if (!line) return;
    line.dataset.before ??= line.textContent;
    line.textContent = point.getAttribute("aria-label");
    line.classList.add("says");
  };
  const hush = (event) => {
    const line = said(event)?.closest("figure").querySelector("[data-readout]");
    if (!line) return;
    line.textContent = line.dataset.before ?? "";
    line.classList.remove("says");
  };
  for (const name of ["pointerover", "focusin"]) document.addEventListener(name, tell);
  for (const name of ["pointerout", "focusout"]) document.addEventListener(name, hush);

  document.addEventListener("change", (event) => {
    if (event.target.name !== "run") return;
    const ticked = document.querySelectorAll("#board input[name=run]:checked");
    if (ticked.length > 2) [...ticked].find((box) => box !== event.target).checked = false;
  });

  let touched = false;
  document.addEventListener("change", (event) => (touched ||= event.target.name === "columns"));
  document.addEventListener("htmx:configRequest", (event) => {
    const given = event.detail.parameters;
    if (!touched) given.delete?.("columns");
    for (const [key, value] of [...(given.entries?.() ?? [])]) if (value === "") given.delete(key);
  });
})();
