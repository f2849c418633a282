// What cells have shown, on a page: draws plotly's figures, in the colours of the page's theme and as wide as there is room.
/* global addEventListener, document, matchMedia, MutationObserver, Plotly, ResizeObserver */

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
/** The width in pixels that figures have on paper, A4 or letter, and whether the page is being printed. */
const PAPER = 660;
let printing = false;
const figures = [...document.querySelectorAll(".figure")].map((place) => ({
  place,
  json: place.firstElementChild.textContent,
  drawn: Promise.resolve(),
}));

each(draw);
// The system's theme, or the one that the reader has chosen.
systemIsDark.addEventListener("change", () => each(draw));
new MutationObserver(() => each(draw)).observe(document.documentElement, { attributeFilter: ["data-theme"] });
const places = new ResizeObserver(() => each(fit));
for (const { place } of figures) places.observe(place);

// A browser takes the page as it is when these handlers return: what plotly's functions promise would come too late. On paper hints
// cannot be opened.
addEventListener("beforeprint", () => {
  printing = true;
  for (const figure of figures) void draw(figure);
  for (const hidden of document.querySelectorAll("details:not([open])")) {
    if (hidden.closest(".output, .jp-OutputArea")) continue; // what a cell has shown stays as short as it is
    hidden.open = true;
    hidden.dataset.opened = "to print";
  }
});
addEventListener("afterprint", () => {
  printing = false;
  each(draw);
  for (const opened of document.querySelectorAll("details[data-opened]")) {
    opened.open = false;
    delete opened.dataset.opened;
  }
});

/** Does something to each figure when what was done to it before has ended: plotly's functions do not bear each other. */
function each(change) {
  for (const figure of figures) figure.drawn = figure.drawn.finally(() => change(figure));
}

async function draw({ place, json }) {
  const { theme } = document.documentElement.dataset;
  const dark = !printing && (theme === "dark" || (theme !== "light" && systemIsDark.matches));
  const colours = dark ? JSON.parse(json).layout.meta?.dark : undefined;
  const { data, layout, config, frames = [] } = JSON.parse(json, (_, value) => recoloured(value, colours));
  const { width, height, letters } = sizeIn(place, { data, layout });
  const title = { ...layout.title, font: { ...layout.title?.font, size: letters } };
  await Plotly.newPlot(place, data, { ...layout, width, height, title }, config);
  await Plotly.addFrames(place, frames);
}

async function fit({ place, json }) {
  if (printing) return;
  const { width, height, letters = null } = sizeIn(place, JSON.parse(json));
  const { width: before, title } = place.layout;
  if (width !== undefined && width !== before) await Plotly.relayout(place, { width, height });
  // Of a page that was not laid out when it was drawn, as of one that a script shows when all is there.
  if (width === undefined && place.clientWidth > 0) await Plotly.Plots.resize(place);
  if (letters !== (title?.font?.size ?? null)) await Plotly.relayout(place, { "title.font.size": letters });
}

/**
 * The size of a figure, and of the letters of its title where they must be smaller than plotly's: a figure of a fixed size is no
 * wider than its place if it says so, with edges, which hold its text, as they are; a title is no longer. Several heatmaps beside
 * each other, or one whose columns have names, scroll where the page is so narrow that words would lie over each other.
 */
function sizeIn(
  { clientWidth },
  { data, layout: { width = printing ? PAPER : undefined, height, margin, meta, title, xaxis } },
) {
  // What is not laid out, as while a browser takes a picture of the whole page, has no width: it keeps its own.
  const room = printing ? PAPER : clientWidth || Infinity;
  // A letter of plotly's 18 pixels is at most so wide in the mean of a title; below 11 pixels nobody reads it.
  const length = 10.4 * (title?.text?.length ?? 0);
  const letters = length > 0.97 * room ? Math.max(11, Math.floor((18 * 0.97 * room) / length)) : undefined;
  if (meta?.scales !== true || !(width > room)) return { width, height, letters };
  const [beside, above] = [margin.l + margin.r, margin.t + margin.b];
  const crowded = data.length > 1 || xaxis?.ticktext !== undefined;
  const wide = Math.max(room, crowded ? Math.min(width, 480) : 0);
  const portion = Math.max(0.2, (wide - beside) / (width - beside));
  return { width: wide, height: Math.round(above + (height - above) * portion), letters };
}

/** A colour of a figure, `#rrggbb` or with its opacity `#rrggbbaa`, as the figure says that it is on a dark page. */
function recoloured(value, colours = {}) {
  if (typeof value !== "string") return value;
  const [, colour, opacity = ""] = /^(#[\da-f]{6})([\da-f]{2})?$/.exec(value) ?? [];
  return colour in colours ? colours[colour] + opacity : value;
}

// Columns of numbers stay below each other, and scroll where there is less room; text without columns goes on in the next line.
for (const text of document.querySelectorAll("pre.printed, .jp-RenderedText pre")) {
  if (/\S {2,}\S/.test(text.textContent)) text.classList.add("columns");
}
