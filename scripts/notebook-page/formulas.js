// Sets the formulas of a notebook's page as MathML, which browsers draw without fonts of ours.
/* global document, renderMathInElement */

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
