// The value under the pointer: a guide on the plot and one line of words below it. Arrow keys move it where the plot has the focus.

const SVG = "http://www.w3.org/2000/svg";
const known = new WeakMap();

function pointsOf(figure) {
  if (!known.has(figure)) known.set(figure, JSON.parse(figure.dataset.points));
  return known.get(figure);
}

function percent(share) {
  return `${(100 * share).toFixed(1)}\u00a0%`;
}

function words([seconds, height, share, low, high]) {
  const moment = new Date(1000 * seconds);
  const minute = moment.toISOString().slice(0, 16).replace("T", " ");
  return `${minute} UTC (${moment.toLocaleString()} local) · block ${height.toLocaleString("en")} · ${percent(share)}, ` +
    `95\u00a0% interval ${percent(low)} to ${percent(high)}`;
}

function guide(drawn, points, point) {
  const svg = drawn.querySelector("svg");
  const [left, right, top, bottom] = drawn.dataset.frame.split(" ").map(Number);
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const x = last === first ? right : left + ((point[0] - first) / (last - first)) * (right - left);
  let line = svg.querySelector(".guide");
  if (!line) {
    line = document.createElementNS(SVG, "line");
    line.setAttribute("class", "guide");
    svg.append(line);
  }
  for (const [name, value] of Object.entries({ x1: x, x2: x, y1: top, y2: bottom })) line.setAttribute(name, value);
}

function show(figure, place) {
  const points = pointsOf(figure);
  const at = Math.min(points.length - 1, Math.max(0, place));
  figure.dataset.at = at;
  for (const drawn of figure.querySelectorAll("[data-frame]")) guide(drawn, points, points[at]);
  figure.querySelector(".reading").textContent = words(points[at]);
}

function nearest(points, seconds) {
  let best = 0;
  points.forEach(([at], place) => {
    if (Math.abs(at - seconds) < Math.abs(points[best][0] - seconds)) best = place;
  });
  return best;
}

document.addEventListener("pointermove", (event) => {
  const drawn = event.target.closest?.("[data-frame]");
  const figure = drawn?.closest("[data-points]");
  if (!figure) return;
  const svg = drawn.querySelector("svg");
  const box = svg.getBoundingClientRect();
  const [left, right] = drawn.dataset.frame.split(" ").map(Number);
  const x = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
  const points = pointsOf(figure);
  const [first, last] = [points[0][0], points.at(-1)[0]];
  show(figure, nearest(points, first + ((x - left) / (right - left)) * (last - first)));
});

document.addEventListener("keydown", (event) => {
  const figure = event.target;
  if (!figure.matches?.("[data-points]")) return;
  const last = pointsOf(figure).length - 1;
  const at = Number(figure.dataset.at ?? last);
  const next = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  show(figure, next);
});
