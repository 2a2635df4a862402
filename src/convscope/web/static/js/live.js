// Whatever has data-news="/address" is told of changes there: an event "news" with what came.
// htmx asks for it anew where it says hx-trigger="news". A hidden page listens to nothing.
(() => {
  let sources = [];
  const listen = () => {
    if (sources.length || document.hidden) return;
    for (const element of document.querySelectorAll("[data-news]")) {
      const source = new EventSource(element.dataset.news);
      const hear = (message) => {
        const isNew = message.data !== element.dataset.newsSince;
        const isFirst = element.dataset.newsSince === undefined;
        element.dataset.newsSince = message.data;
        if (isNew && !isFirst)
          element.dispatchEvent(new CustomEvent("news", { detail: JSON.parse(message.data) }));
      };
      source.addEventListener("state", hear);
      source.addEventListener("changed", hear);
      sources.push(source);
    }
  };
  const leave = () => {
    sources.forEach((source) => source.close());
    sources = [];
  };
  addEventListener("DOMContentLoaded", listen);
  addEventListener("pageshow", listen);
  addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : listen()));
})();
