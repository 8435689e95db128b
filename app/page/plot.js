// Draws small plots as SVG: axes, lines, dots and bars. Knows nothing of the data.

const [WIDTH, HEIGHT] = [360, 230];
const FRAME = { left: 44, right: 352, top: 12, bottom: 196 };

/**
 * Make a plot, `{svg, atX, atY}`: an SVG element, and the functions from values to its coordinates.
 *
 * `x` and `y` are axes, `{from, to, ticks, label, text}`, where `text(tick)` formats a tick. `description` is the text
 * alternative for screen readers.
 */
export function makePlot({ x, y, description }) {
  const svg = shape("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": description, class: "plot" });
  const atX = scale(x, FRAME.left, FRAME.right);
  const atY = scale(y, FRAME.bottom, FRAME.top);
  for (const tick of y.ticks) {
    svg.append(
      shape("line", { x1: FRAME.left, x2: FRAME.right, y1: atY(tick), y2: atY(tick), class: "gridline" }),
      text(y.text(tick), { x: FRAME.left - 7, y: atY(tick) + 4, "text-anchor": "end" }),
    );
  }
  for (const tick of x.ticks) svg.append(text(x.text(tick), { x: atX(tick), y: FRAME.bottom + 16, "text-anchor": "middle" }));
  svg.append(text(x.label, { x: (FRAME.left + FRAME.right) / 2, y: HEIGHT - 3, "text-anchor": "middle", class: "axis" }));
  return { svg, atX, atY };
}

/** Draw a line through points `[x, y]`. */
export function addLine({ svg, atX, atY }, points, class_) {
  const path = points.map(([x, y], index) => `${index ? "L" : "M"}${atX(x).toFixed(1)} ${atY(y).toFixed(1)}`).join("");
  svg.append(shape("path", { d: path, class: `line ${class_}` }));
}

/** Draw dots at points `[x, y, radius, title]`. */
export function addDots({ svg, atX, atY }, points, class_) {
  for (const [x, y, radius, title] of points) {
    svg.append(titled(shape("circle", { cx: atX(x), cy: atY(y), r: radius, class: `dot ${class_}` }), title));
  }
}

/** Draw a vertical bar from 0 to `y` at `x`. `offset` and `width` are in the units of the SVG. */
export function addBar({ svg, atX, atY }, { x, y, offset, width, title }, class_) {
  const attributes = { x: atX(x) + offset - width / 2, y: atY(y), width, height: Math.max(0, FRAME.bottom - atY(y)), rx: 2 };
  svg.append(titled(shape("rect", { ...attributes, class: `column ${class_}` }), title));
}

function scale({ from, to }, start, end) {
  return (value) => start + ((value - from) / (to - from)) * (end - start);
}

function titled(element, content) {
  const title = shape("title");
  title.textContent = content;
  element.append(title);
  return element;
}

function text(content, attributes) {
  const element = shape("text", attributes);
  element.textContent = content;
  return element;
}

function shape(name, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
