/** Headless Chromium, as the system has it: nothing is downloaded. */
import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

const CANDIDATES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/usr/bin/google-chrome-stable",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
];

/** The browser's program: METASTATE_CHROMIUM, else one that the system has; undefined where there is none. */
export function findChromium(): string | undefined {
  return [process.env["METASTATE_CHROMIUM"], ...CANDIDATES].find((path) => path !== undefined && existsSync(path));
}

/**
 * Why a test that needs the browser is skipped, as node:test takes it. Where CI runs, a browser that is missing is a fault of
 * the set-up, not a reason to skip.
 */
export const skip =
  findChromium() === undefined && !process.env["CI"]
    ? "no Chromium or Chrome is installed (Debian: apt install chromium), or name one in METASTATE_CHROMIUM"
    : false;

/** Starts it so that it neither needs a sandbox of its own nor talks to anyone but the page's server. */
export function startChromium(executablePath = findChromium()): Promise<Browser> {
  if (executablePath === undefined) {
    throw new Error("no Chromium or Chrome is installed, and CI must have one: see .ci/run");
  }
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
    ],
  });
}
