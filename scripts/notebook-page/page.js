// Draws what a notebook's page holds: plotly's figures, and formulas as MathML, which browsers set without fonts of ours.
/* global document, matchMedia, Plotly, renderMathInElement */

const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const figures = [...document.querySelectorAll(".figure")].map((place) => ({
  place,
  json: place.firstElementChild.textContent,
}));

drawFigures();
systemIsDark.addEventListener("change", drawFigures);

function drawFigures() {
  const { theme } = document.documentElement.dataset;
  const dark = theme === undefined ? systemIsDark.matches : theme === "dark";
  for (const { place, json } of figures) {
    const colours = dark ? JSON.parse(json).layout.meta?.dark : undefined;
    const { data, layout, config, frames = [] } = JSON.parse(json, (_, value) => recoloured(value, colours));
    Plotly.newPlot(place, data, layout, config).then(() => Plotly.addFrames(place, frames));
  }
}

/** A colour of a figure, `#rrggbb` or with its opacity `#rrggbbaa`, as the figure says that it is on a dark page. */
function recoloured(value, colours = {}) {
  if (typeof value !== "string") return value;
  const [, colour, opacity = ""] = /^(#[\da-f]{6})([\da-f]{2})?$/.exec(value) ?? [];
  return colour in colours ? colours[colour] + opacity : value;
}

for (const text of document.querySelectorAll("[data-mime-type='text/markdown']")) {
  renderMathInElement(text, {
    delimiters: [
      { left: "$$", right: "$$", display: true },
      { left: "$", right: "$", display: false },
    ],
    output: "mathml",
    throwOnError: true,
  });
}
