// The theme of a page: what the reader has chosen on the book's other pages (TypeDoc keeps it), else the system's. It is
// loaded before anything is drawn.
/* global document */

try {
  const chosen = localStorage.getItem("tsd-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // A page that may keep nothing follows the system.
}
