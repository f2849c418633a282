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

/** Starts it so that it neither needs a sandbox of its own nor talks to anyone but the page's server. */
export function startChromium(executablePath: string): Promise<Browser> {
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
