/** Widgets that hold others. */
import { Layout, Widget } from "./widget.js";

/** Options of `ui.hbox` and `ui.vbox`. */
export interface BoxOptions {
  /** In units of CSS: `"100%"`. */
  readonly width?: string;
}

/** Widgets side by side, or one below the other. */
export class Box extends Widget {
  /** @internal Made by `ui.hbox` and `ui.vbox`. */
  constructor(kind: "HBox" | "VBox", children: readonly Widget[], { width }: BoxOptions = {}) {
    super(
      { model: `${kind}Model`, view: `${kind}View` },
      { children: checked(children), box_style: "", layout: width === undefined ? null : new Layout({ width }) },
    );
  }

  /** What it holds; to be set as a whole. */
  get children(): readonly Widget[] {
    return this.get("children") as readonly Widget[];
  }
  set children(children: readonly Widget[]) {
    this.set({ children: checked(children) });
  }

  /** Removes it, and what it holds, from the page. */
  override close(): void {
    super.close();
    for (const child of this.children) child.close();
  }

  override toString(): string {
    return this.children.map(String).join("\n");
  }
}

function checked(children: readonly Widget[]): readonly Widget[] {
  if (Array.isArray(children) && children.every((child) => child instanceof Widget)) return [...children];
  throw new TypeError("A box holds widgets, in an array: ui.vbox([ui.slider(), ui.checkbox()])");
}
