"use strict";
(() => {
  const data = JSON.parse(document.getElementById("schedule").textContent);
  const box = document.getElementById("gantt");
  const canvas = box.querySelector("canvas");
  const tip = document.getElementById("tip");
  const rowHeight = 22, top = 8, axis = data.limits.length ? 42 : 26, curveHeight = 64, gap = 12;
  const height = top + data.rows.length * rowHeight + axis + data.curves.length * (curveHeight + gap);
  const words = [...data.rows, ...data.curves.flatMap((c) => [c.name, `peak ${c.peak}`, c.called || ""])];
  let from = 0, to = data.end, hits = [], scale = 1, width = 0, labels = 0;

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const hue = (k) => `hsl(${(k * 137.5) % 360} 52% ${dark() ? 48 : 62}%)`;
  const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
  const seconds = (t) => {
    const size = Math.abs(t);
    if (size === 0) return "0 s";
    const [by, unit] = size >= 1 ? [1, "s"] : size >= 1e-3 ? [1e3, "ms"]
      : size >= 1e-6 ? [1e6, "µs"] : [1e9, "ns"];
    return `${Number((t * by).toPrecision(5))} ${unit}`;
  };
  const x = (t) => labels + ((t - from) / (to - from)) * (width - labels);
  const step = () => {
    const rough = (to - from) / Math.max(2, (width - labels) / 90);
    const power = 10 ** Math.floor(Math.log10(rough));
    return [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  };

  function draw() {
    width = box.clientWidth;
    scale = window.devicePixelRatio || 1;
    canvas.width = width * scale;
    canvas.height = height * scale;
    canvas.style.height = `${height}px`;
    const pen = canvas.getContext("2d");
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.font = "12px system-ui, sans-serif";
    labels = Math.min(width * 0.35,
      12 + Math.max(...words.map((r) => pen.measureText(r).width), 40));
    const bottom = top + data.rows.length * rowHeight;
    pen.strokeStyle = colour("--line");
    pen.fillStyle = colour("--soft");
    const every = step();
    for (let t = Math.ceil(from / every) * every; t <= to; t += every) {
      pen.beginPath();
      pen.moveTo(x(t), top);
      pen.lineTo(x(t), height);
      pen.stroke();
      pen.fillText(seconds(t), x(t) + 3, bottom + 16);
    }
    pen.fillStyle = colour("--ink");
    data.rows.forEach((name, r) =>
      pen.fillText(fit(pen, name, labels - 8), 4, top + r * rowHeight + 15));
    hits = [];
    pen.save();
    pen.beginPath();
    pen.rect(labels, 0, width - labels, height);
    pen.clip();
    const last = data.rows.map(() => -1);
    for (const [row, start, end, name, group] of data.bars) {
      if (end < from || start > to) continue;
      const left = x(start), right = Math.max(x(end), left + 1);
      // Bars narrower than a pixel that lie on one already drawn add nothing to the picture.
      if (right - left <= 1 && right <= last[row]) continue;
      last[row] = right;
      const y = top + row * rowHeight + 2;
      pen.fillStyle = group < 0 ? colour("--c") : hue(group);
      pen.fillRect(left, y, right - left, rowHeight - 4);
      const room = Math.min(right, width) - Math.max(left, labels) - 6;
      if (room > 24) {
        pen.fillStyle = "#111111";
        pen.fillText(fit(pen, name, room), Math.max(left, labels) + 3, y + 13);
      }
    }
    data.curves.forEach((curve, k) => drawCurve(pen, curve, bottom + axis + k * (curveHeight + gap)));
    drawLimits(pen, bottom);
    pen.restore();
    data.curves.forEach((curve, k) => {
      const y = bottom + axis + k * (curveHeight + gap);
      pen.fillStyle = colour("--ink");
      pen.fillText(fit(pen, curve.name, labels - 8), 4, y + 14);
      pen.fillStyle = colour("--soft");
      pen.fillText(fit(pen, `peak ${curve.peak}`, labels - 8), 4, y + 30);
      if (curve.called) pen.fillText(fit(pen, curve.called, labels - 8), 4, y + 46);
    });
  }

  function drawCurve(pen, curve, y) {
    const peak = Math.max(...curve.value) || 1;
    // A limit far above leaves the curve readable at its own scale, and is told in words only.
    const near = curve.limit !== undefined && curve.limit <= 20 * peak;
    const most = near ? Math.max(peak, curve.limit) : peak;
    pen.fillStyle = colour("--a");
    pen.globalAlpha = 0.55;
    curve.time.forEach((t, i) => {
      const until = i + 1 < curve.time.length ? curve.time[i + 1] : data.end;
      const tall = (curve.value[i] / most) * curveHeight;
      if (until > from && t < to) {
        pen.fillRect(x(t), y + curveHeight - tall, Math.max(x(until) - x(t), 0.5), tall);
      }
    });
    pen.globalAlpha = 1;
    if (near) {
      const at = y + curveHeight - (curve.limit / most) * curveHeight;
      dashed(pen, x(Math.max(from, 0)), at, x(to), at);
    }
  }

  function dashed(pen, x1, y1, x2, y2) {
    pen.strokeStyle = colour("--bad");
    pen.lineWidth = 1.5;
    pen.setLineDash([5, 3]);
    pen.beginPath();
    pen.moveTo(x1, y1);
    pen.lineTo(x2, y2);
    pen.stroke();
    pen.setLineDash([]);
    pen.lineWidth = 1;
  }

  function drawLimits(pen, bottom) {
    let free = -Infinity;
    for (const [time, name] of data.limits) {
      if (time < from || time > to) continue;
      dashed(pen, x(time), top - 6, x(time), bottom);
      const text = `${name}: ${seconds(time)}`, wide = pen.measureText(text).width;
      const left = Math.min(x(time) + 3, width - wide - 2);
      if (left < free) continue;
      pen.fillStyle = colour("--bad");
      pen.fillText(text, left, bottom + 32);
      free = left + wide + 8;
    }
  }

  // Letters keep their width: what does not fit is cut, and the tooltip has it whole.
  function fit(pen, text, room) {
    if (pen.measureText(text).width <= room) return text;
    let low = 0, high = text.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (pen.measureText(`${text.slice(0, middle)}…`).width <= room) low = middle;
      else high = middle - 1;
    }
    return low ? `${text.slice(0, low)}…` : "";
  }

  function zoom(factor, middle = (from + to) / 2) {
    const span = Math.min(data.end, Math.max((to - from) * factor, data.end * 1e-7));
    from = Math.max(0, Math.min(middle - (middle - from) * (span / (to - from)), data.end - span));
    to = from + span;
    draw();
  }
  function pan(part) {
    const span = to - from;
    from = Math.max(0, Math.min(from + part * span, data.end - span));
    to = from + span;
    draw();
  }
  const timeAt = (px) => from + ((px - labels) / (width - labels)) * (to - from);

  function show(event) {
    const place = canvas.getBoundingClientRect();
    const px = event.clientX - place.left, py = event.clientY - place.top;
    const row = Math.floor((py - top) / rowHeight), t = timeAt(px);
    const near = ((to - from) / (width - labels)) * 2;
    const bar = px < labels ? undefined
      : data.bars.find(([r, s, e]) => r === row && s - near <= t && t <= e + near);
    if (!bar) {
      tip.style.display = "none";
      return;
    }
    const [, start, end, name, , more] = bar;
    tip.textContent = `${name}\n${seconds(start)} to ${seconds(end)} (${seconds(end - start)})`
      + (more ? `\n${more}` : "");
    tip.style.display = "block";
    tip.style.left = `${Math.min(px + 12, width - tip.offsetWidth - 4)}px`;
    tip.style.top = `${py + 16}px`;
  }

  let dragged = null;
  canvas.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8, timeAt(event.offsetX));
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => { dragged = event.clientX; });
  addEventListener("pointerup", () => { dragged = null; });
  canvas.addEventListener("pointermove", (event) => {
    if (dragged !== null && event.buttons) {
      pan((dragged - event.clientX) / (width - labels));
      dragged = event.clientX;
    }
    show(event);
  });
  canvas.addEventListener("pointerleave", () => { tip.style.display = "none"; });
  canvas.addEventListener("dblclick", (event) => zoom(0.5, timeAt(event.offsetX)));
  const keys = {
    "+": () => zoom(0.8), "=": () => zoom(0.8), "-": () => zoom(1.25),
    ArrowLeft: () => pan(-0.1), ArrowRight: () => pan(0.1),
    Home: () => { from = 0; to = data.end; draw(); },
  };
  canvas.addEventListener("keydown", (event) => {
    if (keys[event.key]) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  for (const button of document.querySelectorAll("[data-key]")) {
    button.addEventListener("click", () => keys[button.dataset.key]());
  }
  addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
})();
