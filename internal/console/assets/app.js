// What server-rendered pages need in the browser beside htmx: the note that the live view is interrupted, confirmation by
// name, and the chart.
"use strict";

const stale = (is) => { document.getElementById("stale").hidden = !is; };
document.addEventListener("htmx:sseOpen", () => stale(false));
document.addEventListener("htmx:sseError", () => stale(true));
document.addEventListener("htmx:sseClose", (e) => { if (e.detail.type === "message") location.reload(); });

// Answers that are errors are shown where the answer was to go.
document.addEventListener("htmx:beforeSwap", (e) => {
  if (e.detail.xhr.status === 401) { location.reload(); return; }
  if (e.detail.xhr.status >= 400) { e.detail.shouldSwap = true; e.detail.isError = false; }
});

for (const input of document.querySelectorAll("input[data-confirm]")) {
  const button = input.form.querySelector("button");
  const look = () => { button.disabled = input.value !== input.dataset.confirm; };
  input.addEventListener("input", look);
  look();
}

// The chart keeps what it was told for five minutes; each event brings the newest probes of all endpoints.
const kept = 5 * 60;
const lines = new Map();
let plot = null;

function colours() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  // Okabe and Ito's palette, told apart by all kinds of sight; dashes tell the lines apart without it.
  return dark ? { lines: ["#56b4e9", "#e69f00", "#cc79a7", "#009e73"], text: "#a8b3c2", grid: "#2c3440" }
    : { lines: ["#0072b2", "#b35c00", "#a23b72", "#00785a"], text: "#525d6d", grid: "#e3e7ec" };
}

function take(all) {
  for (const s of all) {
    if (!lines.has(s.name)) lines.set(s.name, new Map());
    const points = lines.get(s.name);
    for (const p of s.points) points.set(p.t / 1000, p.ms);
    const newest = Math.max(...points.keys());
    for (const t of points.keys()) if (t < newest - kept) points.delete(t);
  }
}

function draw() {
  const at = document.getElementById("chart");
  if (!at || !window.uPlot || lines.size === 0) return;
  const tables = [...lines.values()].map((points) => {
    const t = [...points.keys()].sort((a, b) => a - b);
    return [t, t.map((x) => points.get(x))];
  });
  // A null of a series is a failed probe and stays a gap; where another series has a time of its own, the line goes on.
  const data = uPlot.join(tables, tables.map(() => [2, 1]));
  if (plot && plot.series.length === lines.size + 1) { plot.setData(data); return; }
  if (plot) plot.destroy();
  const c = colours(), dash = [[], [6, 4], [2, 3], [10, 3, 2, 3]];
  const axis = { stroke: c.text, grid: { stroke: c.grid, width: 1 }, ticks: { stroke: c.grid } };
  at.replaceChildren();
  plot = new uPlot({
    width: at.clientWidth, height: 220, tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "UTC"),
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max * 1.15)] } },
    axes: [{ ...axis, values: (_, v) => v.map((t) => new Date(t * 1000).toISOString().slice(11, 19)), space: 90 }, { ...axis, values: (_, v) => v.map((x) => x + " ms"), size: 64 }],
    series: [{ label: "UTC", value: "{HH}:{mm}:{ss}" }, ...[...lines.keys()].map((name, i) => ({
      label: name, stroke: c.lines[i % 4], width: 2, dash: dash[i % 4], points: { show: false },
      value: (_, v) => v == null ? "–" : v.toFixed(1) + " ms",
    }))],
  }, data, at);
}

document.addEventListener("htmx:sseBeforeMessage", (e) => {
  if (e.target.id !== "chart-feed") return;
  e.preventDefault();
  take(JSON.parse(e.detail.data));
  draw();
});
addEventListener("resize", () => { if (plot) plot.setSize({ width: document.getElementById("chart").clientWidth, height: 220 }); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (plot) { plot.destroy(); plot = null; draw(); } });
