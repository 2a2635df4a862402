// Loss and accuracy by epoch, of one run or of two; new epochs of a running training are added.
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const KINDS = [
    ["loss", "train_loss", "validation_loss"],
    ["accuracy", "train_accuracy", "validation_accuracy"],
  ];
  const plots = new Map();

  const sources = (box) => Object.keys(box.dataset).filter((key) => /^curves(-\d)?$/.test(key)).sort();

  const read = async (box) => {
    const addresses = sources(box).map((key) => box.dataset[key]);
    const answers = await Promise.all(addresses.map((address) => fetch(address)));
    return Promise.all(answers.map((answer) => answer.json()));
  };

  const table = (runs, kind) => {
    const n = Math.max(0, ...runs.map((run) => run.epoch.length));
    const rows = runs.flatMap((run) => [run[kind[1]] ?? [], run[kind[2]] ?? []]);
    const filled = rows.map((row) => Array.from({ length: n }, (_, i) => row[i] ?? null));
    return [Array.from({ length: n }, (_, i) => i + 1), ...filled];
  };

  const options = (box, runs, kind) => {
    const colours = [css("--accent"), css("--warm")];
    const axis = { stroke: css("--muted"), grid: { stroke: css("--line"), width: 1 }, ticks: { show: false } };
    const room = box.clientWidth - 56; // its padding, and the gap between the two
    const names = runs.length > 1 ? ["first ", "second "] : [""];
    return {
      width: room > 720 ? Math.floor(room / 2) : room,
      height: 250,
      title: kind[0],
      scales: { x: { time: false } },
      legend: { markers: { dash: (plot, i) => (plot.series[i].dash ? "dashed" : "solid") } },
      cursor: { sync: { key: "epochs" }, y: false },
      axes: [
        { ...axis, label: "epoch", labelSize: 20, size: 34, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500] },
        { ...axis, size: 46 },
      ],
      series: [
        { label: "epoch" },
        ...runs.flatMap((_, i) => [
          { label: `${names[i]}train`, stroke: colours[i], width: 1.5, dash: [5, 4], points: { show: false } },
          { label: `${names[i]}validation`, stroke: colours[i], width: 2, points: { size: 4, fill: colours[i] } },
        ]),
      ],
    };
  };

  const draw = (box, runs) => {
    box.replaceChildren();
    if (!Math.max(0, ...runs.map((run) => run.epoch.length))) {
      box.textContent = "No epoch is done yet.";
      return;
    }
    plots.set(box, KINDS.map((kind) => new uPlot(options(box, runs, kind), table(runs, kind), box)));
  };

  const refresh = async (box) => {
    const runs = await read(box);
    box.runs = runs;
    if (!plots.has(box)) draw(box, runs);
    else plots.get(box).forEach((plot, i) => plot.setData(table(runs, KINDS[i])));
  };

  const all = () => document.querySelectorAll(".curves");
  const redraw = () => all().forEach((box) => box.runs && draw(box, box.runs));
  addEventListener("DOMContentLoaded", () => {
    all().forEach((box) => {
      refresh(box);
      document.getElementById(box.dataset.follows)?.addEventListener("news", () => refresh(box));
    });
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth !== width) redraw();
      width = innerWidth;
    });
    addEventListener("themechange", redraw);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  });
})();
