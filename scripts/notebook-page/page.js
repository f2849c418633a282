// Draws what a notebook's page holds: plotly's figures, and formulas as MathML, which browsers set without fonts of ours.
/* global document, Plotly, renderMathInElement */

for (const place of document.querySelectorAll(".figure")) {
  const { data, layout, config, frames = [] } = JSON.parse(place.firstElementChild.textContent);
  Plotly.newPlot(place, data, layout, config).then(() => Plotly.addFrames(place, frames));
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
