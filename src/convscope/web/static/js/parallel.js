// Parallel coordinates: lines on a canvas; a drag along an axis keeps what passes there.
(() => {
  const TOP = 40, BOTTOM = 24, SIDE = 70, REACH = 6;
  const root = document.documentElement;
  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  const blank = () => ({ axes: [], runs: [] });

  const start = async (canvas) => {
    const readout = document.querySelector("[data-readout]");
    const says = readout.textContent;
    const kept = new Map();
    let data = blank(), near = -1, drag = null;
    const width = () => canvas.clientWidth, height = () => canvas.clientHeight;
    const x = (i) => SIDE + ((width() - 2 * SIDE) * i) / Math.max(1, data.axes.length - 1);
    const y = (value) => TOP + (height() - TOP - BOTTOM) * (1 - value);
    const passes = (run) =>
      [...kept].every(([i, [low, high]]) => {
        const value = data.axes[i].values[run];
        return value !== null && value >= low && value <= high;
      });

    const line = (pen, run) => {
      pen.beginPath();
      let is_on = false;
      data.axes.forEach((axis, i) => {
        const value = axis.values[run];
        if (value === null) is_on = false;
        else if (is_on) pen.lineTo(x(i), y(value));
        else pen.moveTo(x(i), y(value)), (is_on = true);
      });
      pen.stroke();
    };

    const drawAxis = (pen, axis, i) => {
      pen.strokeStyle = css("--muted");
      pen.globalAlpha = 1;
      pen.lineWidth = 1;
      pen.beginPath();
      pen.moveTo(x(i), y(0));
      pen.lineTo(x(i), y(1));
      pen.stroke();
      pen.fillStyle = css("--text");
      pen.textAlign = "center";
      pen.font = "600 12px system-ui, sans-serif";
      pen.fillText(axis.key.replace(/^train\.|^data\./, ""), x(i), 20);
      pen.font = "11px system-ui, sans-serif";
      const is_last = i === data.axes.length - 1;
      pen.textAlign = is_last ? "left" : "right";
      for (const [at, text] of axis.ticks) {
        const shown = text.length > 12 ? `${text.slice(0, 11)}…` : text;
        pen.lineWidth = 3;
        pen.strokeStyle = css("--card");
        pen.strokeText(shown, x(i) + (is_last ? 7 : -7), y(at) + 4);
        pen.fillText(shown, x(i) + (is_last ? 7 : -7), y(at) + 4);
      }
      if (kept.has(i)) {
        const [low, high] = kept.get(i);
        pen.fillStyle = css("--accent");
        pen.globalAlpha = 0.35;
        pen.fillRect(x(i) - 6, y(high), 12, Math.max(2, y(low) - y(high)));
      }
    };

    const draw = () => {
      const ratio = devicePixelRatio || 1;
      canvas.width = width() * ratio;
      canvas.height = height() * ratio;
      const pen = canvas.getContext("2d");
      pen.scale(ratio, ratio);
      const accuracy = data.axes.at(-1)?.values ?? [];
      const shades = Array.from({ length: 21 }, (_, i) => css(`--shade-${i}`));
      const strength = Math.max(0.12, Math.min(0.85, 40 / data.runs.length));
      data.runs.forEach((_, run) => {
        const is_kept = passes(run);
        pen.lineWidth = is_kept ? 1.4 : 1;
        pen.globalAlpha = is_kept ? (kept.size ? 0.9 : strength) : 0.15;
        pen.strokeStyle = is_kept ? shades[6 + Math.round(14 * (accuracy[run] ?? 0))] : css("--line");
        line(pen, run);
      });
      if (near >= 0) {
        pen.globalAlpha = 1;
        pen.lineWidth = 3;
        pen.strokeStyle = css("--warm");
        line(pen, near);
      }
      data.axes.forEach((axis, i) => drawAxis(pen, axis, i));
      canvas.dataset.drawn = data.runs.length;
    };

    const axisAt = (place) => data.axes.findIndex((_, i) => Math.abs(place - x(i)) < 12);
    const runAt = (px, py) => {
      const i = data.axes.findIndex((_, k) => k + 1 < data.axes.length && px >= x(k) && px <= x(k + 1));
      if (i < 0) return -1;
      const part = (px - x(i)) / (x(i + 1) - x(i));
      let best = -1, least = REACH;
      data.runs.forEach((_, run) => {
        const left = data.axes[i].values[run], right = data.axes[i + 1].values[run];
        if (left === null || right === null || !passes(run)) return;
        const away = Math.abs(y(left + (right - left) * part) - py);
        if (away < least) (least = away), (best = run);
      });
      return best;
    };
    const valueAt = (py) => Math.min(1, Math.max(0, 1 - (py - TOP) / (height() - TOP - BOTTOM)));

    canvas.addEventListener("pointerdown", (event) => {
      const i = axisAt(event.offsetX);
      if (i < 0) return;
      drag = [i, event.offsetY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (drag) {
        const ends = [valueAt(drag[1]), valueAt(event.offsetY)].sort((a, b) => a - b);
        kept.set(drag[0], ends);
      } else near = runAt(event.offsetX, event.offsetY);
      const n = data.runs.filter((_, run) => passes(run)).length;
      readout.textContent = near >= 0 ? data.runs[near][1] : kept.size ? `${n} of ${data.runs.length} runs` : says;
      draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      if (drag && Math.abs(event.offsetY - drag[1]) < 3) kept.delete(drag[0]);
      drag = null;
      draw();
    });
    canvas.addEventListener("click", (event) => {
      const run = axisAt(event.offsetX) < 0 ? runAt(event.offsetX, event.offsetY) : -1;
      if (run >= 0) location.href = `/run/${encodeURIComponent(data.runs[run][0])}`;
    });
    data = await (await fetch(canvas.dataset.source)).json();
    canvas.style.minWidth = `${2 * SIDE + 84 * data.axes.length}px`; // the figure scrolls
    draw();
    addEventListener("resize", draw);
    addEventListener("themechange", draw);
  };

  addEventListener("DOMContentLoaded", () => document.querySelectorAll(".parallel canvas").forEach(start));
})();
