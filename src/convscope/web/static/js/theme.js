// The theme that somebody chose, before anything is drawn; without a choice the system's holds.
(() => {
  const NEXT = { system: "light", light: "dark", dark: "system" };
  const kept = () => localStorage.getItem("theme") ?? "system";
  const put = (theme) => {
    if (theme === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  };
  put(kept());
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const say = () => (button.textContent = `theme: ${kept()}`);
    button.hidden = false;
    say();
    button.addEventListener("click", () => {
      localStorage.setItem("theme", NEXT[kept()]);
      put(kept());
      say();
      dispatchEvent(new Event("themechange"));
    });
  });
})();
