/** What the tests of plots share. Not exported from the package. */
import { findBrowser } from "./save-figure.js";

/** Why tests that draw are skipped, or false. A newcomer's machine may have no browser; CI's must. */
export const withoutBrowser = hasBrowser() || process.env["CI"] ? false : "no Chromium, Chrome or Edge is installed";

function hasBrowser(): boolean {
  try {
    return findBrowser() !== "";
  } catch {
    return false;
  }
}
