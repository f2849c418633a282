/** Whether what a page shows fits its width, and what does not. */
import type { Page } from "playwright-core";

/** A phone held upright, in pixels. */
export const phone = { width: 390, height: 844 };

interface PageElement {
  readonly tagName: string;
  readonly className: unknown;
  readonly scrollWidth: number;
  readonly parentElement: PageElement | null;
  readonly textContent: string | null;
  getBoundingClientRect(): { readonly right: number; readonly width: number };
}

/** What is used of the page's own objects; the function below runs there. */
interface PageGlobals {
  innerWidth: number;
  document: { readonly documentElement: PageElement; querySelectorAll(selector: string): Iterable<PageElement> };
  getComputedStyle(this: void, element: PageElement): { readonly overflowX: string; readonly position: string };
}

/** The elements that make the page scroll sideways: those that reach beyond the window, and lie in nothing that scrolls by itself. */
export function tooWide(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const { innerWidth, document, getComputedStyle } = globalThis as unknown as PageGlobals;
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    const scrolls = (element: PageElement | null): boolean =>
      element !== null && (getComputedStyle(element).overflowX !== "visible" || scrolls(element.parentElement));
    return [...document.querySelectorAll("body *")]
      .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && !scrolls(element.parentElement))
      .map(({ tagName, className, textContent }) =>
        `${tagName.toLowerCase()}.${String(className)}: ${(textContent ?? "").trim().slice(0, 60)}`.replace(
          /\s+/g,
          " ",
        ),
      );
  });
}
