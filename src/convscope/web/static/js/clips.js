// Clips to hear, one after the other by keyboard; suspect labels are kept in this browser, run by
// run, until they are saved as a list that data.exclude reads.
(() => {
  const find = (selector) => document.querySelector(selector);
  const player = () => find("#player");
  const box = () => find("#clips");
  let frame = 0;

  const follow = (button) => {
    const line = button.closest("p")?.nextElementSibling?.querySelector(".playhead");
    const audio = player();
    document.querySelectorAll(".playhead").forEach((each) => each.setAttribute("visibility", "hidden"));
    cancelAnimationFrame(frame);
    const step = () => {
      if (!line?.isConnected) return;
      const at = `${(100 * audio.currentTime) / (audio.duration || 1)}%`;
      line.setAttribute("x1", at);
      line.setAttribute("x2", at);
      line.setAttribute("visibility", audio.ended ? "hidden" : "visible");
      if (!audio.ended) frame = requestAnimationFrame(step);
    };
    step();
  };

  const play = (button) => {
    if (!button) return;
    const audio = player();
    audio.src = button.dataset.play;
    audio.play().then(() => follow(button), () => (button.textContent = "cannot be played"));
  };

  const place = () => `suspects:${box()?.dataset.run}`;
  const suspects = () => new Set(JSON.parse(localStorage.getItem(place()) ?? "[]"));
  const keep = (chosen) => localStorage.setItem(place(), JSON.stringify([...chosen]));

  const show = () => {
    const chosen = suspects();
    const panel = find("#suspects");
    if (!panel || !box()) return;
    panel.hidden = chosen.size === 0;
    panel.querySelector("[data-n]").textContent = `${chosen.size} clip${chosen.size === 1 ? "" : "s"}`;
    const query = [...chosen].map((index) => `clip=${index}`).join("&");
    panel.querySelector("[data-save-link]").href = `${box().dataset.save}?${query}`;
    const button = find("[data-suspect]");
    button?.setAttribute("aria-pressed", String(chosen.has(button.dataset.suspect)));
    document.querySelectorAll("[data-clip]").forEach((link) => {
      if (chosen.has(link.dataset.clip)) link.dataset.isSuspect = "";
      else delete link.dataset.isSuspect;
    });
    find(".list [aria-current]")?.scrollIntoView({ block: "nearest" });
  };

  const toggle = (button) => {
    if (!button) return;
    const chosen = suspects();
    const index = button.dataset.suspect;
    if (!chosen.delete(index)) chosen.add(index);
    keep(chosen);
    show();
  };

  document.addEventListener("click", (event) => {
    const to = (selector) => event.target.closest(selector);
    if (to("[data-play]")) play(to("[data-play]"));
    if (to("[data-suspect]")) toggle(to("[data-suspect]"));
    if (to("[data-clear]")) keep([]), show();
  });

  const KEYS = {
    ArrowLeft: () => find("[rel=prev]")?.click(),
    ArrowRight: () => find("[rel=next]")?.click(),
    " ": () => play(find(".clip [data-play]")),
    h: () => play(find("[data-heard]")),
    s: () => toggle(find("[data-suspect]")),
  };
  document.addEventListener("keydown", (event) => {
    const is_typing = event.target.closest("input, select, textarea, button");
    if (is_typing || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  });

  addEventListener("DOMContentLoaded", show);
  document.addEventListener("htmx:afterSettle", show);
  addEventListener("storage", show);
})();
