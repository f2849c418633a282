/**
 * An extension of JupyterLab by which what was shown changes in place: plotly figures, and all that is updated after the page
 * was loaded anew. Nothing is drawn here, so there is nothing to build: JupyterLab loads this file as it is, as a container
 * of modules with `init` and `get`.
 *
 * Figures: JupyterLab draws figures with the renderer of the Python package plotly, which draws its first figure and never looks at
 * another. Here its renderers learn to: an update goes to plotly's own `react`, which redraws what has changed and keeps
 * the reader's zoom. Where the renderer is missing, or is made in another way, nothing is changed. Drawing takes half of the page's
 * time at most: figures that come faster than they can be drawn are left out, but for the last, and the page does not fall behind.
 *
 * Dark pages: a figure may say in `layout.meta.dark` what each of its colours is on a dark page. It is drawn so while JupyterLab's
 * theme is dark, and anew when the theme changes. What is saved with the notebook is the figure as it is.
 *
 * Narrow pages: a figure of a fixed size that says `layout.meta.scales` is drawn smaller where a cell has less room than its
 * width, and so is a title that would be cut off; anew when the room changes.
 *
 * Updates: JupyterLab finds what an update is for by the display ids of the cells that this page has run. They are not saved
 * with a notebook, so after a reload nothing is found. The kernel writes them into the metadata of what it will update, which
 * is saved, and here the updates are brought there.
 */
(() => {
  const MIME = "application/vnd.plotly.v1+json";
  /** Height of a figure that says none, in pixels, as the renderer has it. */
  const HEIGHT = 360;
  /** The size of a title's letters as plotly has it, what one of them is wide about, and the least that can be read; pixels. */
  const TITLE = { size: 18, character: 9.5, least: 11 };
  /** Time without an update after which the picture that is saved with the notebook is made anew, in milliseconds. */
  const QUIET_MS = 1000;
  /** From when on the next figure may be redrawn: what drawing has taken is left to messages and to the reader. */
  let restUntil = 0;

  const containers = (globalThis._JUPYTERLAB ??= {});

  containers["metastate-live-figures"] = {
    init() {},
    async get(module) {
      if (module === "./extension") return () => ({ __esModule: true, default: liveOutputs });
      try {
        const factory = await containers["jupyterlab-plotly"]?.get("./mimeExtension");
        for (const { rendererFactory } of [factory?.().default ?? []].flat()) extend(rendererFactory);
      } catch (error) {
        console.warn("Plotly figures will not change in place:", error);
      }
      return () => ({ __esModule: true, default: [] });
    },
  };

  const liveOutputs = {
    id: "metastate-live-figures:outputs",
    autoStart: true,
    activate({ docRegistry }) {
      docRegistry.addWidgetExtension("Notebook", { createNew: followUpdates });
    },
  };

  /** Brings updates to the outputs of a notebook that has been loaded since they were made. */
  function followUpdates({ sessionContext, context, content }) {
    /** Ids of what cells show that this page has run: JupyterLab updates these. */
    const own = new Set();
    sessionContext.iopubMessage.connect((_, message) => {
      const { msg_type: type } = message.header;
      if (type !== "display_data" && type !== "update_display_data") return;
      const id = message.content.transient?.display_id;
      const { clientId } = sessionContext.session?.kernel ?? {};
      if (type === "display_data" && message.parent_header.session === clientId) own.add(id);
      const { display_id: saved, beside } = message.content.metadata?.metastate ?? {};
      if (saved === undefined || own.has(id)) return;
      void context.ready.then(() => {
        if (!content.isDisposed) bring(content.model.cells, saved, beside, message.content);
      });
    });
  }

  /** Puts data into the output that has the id, or behind the others of the cell that has what it is shown beside. */
  function bring(cells, id, beside, { data, metadata }) {
    const output = { output_type: "display_data", data, metadata };
    const place = find(cells, id);
    if (place !== undefined) place.outputs.set(place.index, output);
    else if (beside !== undefined) find(cells, beside)?.outputs.add(output);
  }

  function find(cells, id) {
    for (const { outputs } of cells) {
      for (let index = 0; index < (outputs?.length ?? 0); index++) {
        if (outputs.get(index).metadata?.metastate?.display_id === id) return { outputs, index };
      }
    }
    return undefined;
  }

  function extend(rendererFactory) {
    if (!rendererFactory?.mimeTypes?.includes(MIME)) return;
    const create = rendererFactory.createRenderer.bind(rendererFactory);
    rendererFactory.createRenderer = (options) => live(create(options));
  }

  /** A renderer that looks at every figure it is given. */
  function live(renderer) {
    const drawFirst = renderer.renderModel.bind(renderer);
    const draw = renderer.createGraph?.bind(renderer);
    let latest;
    /** The figure that is drawn. JupyterLab hands out another copy of it whenever it is asked: what is told apart are values. */
    let shown;
    let timer;
    /** The drawing that waits for its turn. */
    let drawing;
    // The picture that a file has of a figure, which is shown until the mouse comes, is cut off at a cell's edge otherwise.
    const kept = renderer.node.querySelector(".plot-img");
    if (kept !== null) kept.style.maxWidth = "100%";
    if (draw !== undefined) {
      renderer.createGraph = async (model) => {
        const figure = model.data[MIME];
        const seen = asSeen(figure, renderer.node);
        keepHeight(renderer, seen.layout);
        // The renderer would save a picture as wide as the cell, in which a figure of a fixed size is stretched.
        if (seen === figure && figure.layout?.width === undefined) return draw(model);
        // The renderer saves a picture of what it has drawn: of a dark one nobody shall see it.
        await draw({ data: { ...model.data, [MIME]: seen }, setData() {} });
        if (model.data["image/png"] === undefined) saveSoon();
      };
    }
    renderer.renderModel = async (model) => {
      const figure = model.data[MIME];
      latest = model;
      // A picture has been added to what is shown, or taken from it.
      if (alike(figure, shown)) return model.data["image/png"] === undefined ? saveSoon() : undefined;
      const first = renderer.node.querySelector(".plot-container") === null;
      shown = figure;
      // A picture that the file has is of a light page.
      if (first && draw !== undefined && asSeen(figure, renderer.node) !== figure) return renderer.createGraph(model);
      if (first) return drawFirst(model);
      if (!renderer.constructor.Plotly) {
        renderer.node.querySelector(".plot-container").remove();
        return drawFirst(model);
      }
      await (drawing ??= turn().then(async () => {
        drawing = undefined;
        await redraw(shown);
        saveSoon();
      }));
    };
    onThemeChange(renderer, async () => {
      if (shown?.layout?.meta?.dark === undefined) return;
      if (renderer.node.querySelector(".plot-container") !== null) await redraw(shown);
      else if (draw !== undefined && isDark()) await renderer.createGraph(latest);
    });
    onWidthChange(renderer, async () => {
      if (shown?.layout?.meta === undefined || renderer.node.querySelector(".plot-container") === null) return;
      const { layout } = fitted(shown, renderer.node);
      const drawn = renderer.node.layout ?? {};
      const isAsWide = shown.layout.width === undefined || drawn.width === layout.width;
      if (!isAsWide || drawn.title?.font?.size !== layout.title?.font?.size) await redraw(shown);
      // One without a width that was drawn before its place had one has plotly's own.
      const { _fullLayout: full, clientWidth } = renderer.node;
      if (shown.layout.width !== undefined || full === undefined || Math.abs(full.width - clientWidth) <= 1) return;
      await renderer.constructor.Plotly?.Plots.resize(renderer.node);
    });
    return renderer;

    async function redraw(figure) {
      const { layout = {}, ...rest } = asSeen(figure, renderer.node);
      const { height = HEIGHT, uirevision = true } = layout;
      keepHeight(renderer, layout);
      const began = performance.now();
      await renderer.constructor.Plotly.react(renderer.node, { ...rest, layout: { ...layout, height, uirevision } });
      const ended = performance.now();
      restUntil = ended + (ended - began);
    }

    function saveSoon() {
      clearTimeout(timer);
      timer = setTimeout(() => void savePicture(), QUIET_MS);
    }

    /** Adds the figure's picture to the output, as the renderer does for its first: exports of the notebook show it. */
    async function savePicture() {
      const [model, figure] = [latest, shown];
      const { node } = renderer;
      const { data, layout = {} } = figure;
      const { width = node.offsetWidth, height = node.offsetHeight } = layout;
      if (node.offsetWidth === 0 || node.querySelector(".plot-container") === null) return;
      // What the reader has zoomed into is in the place, not in the figure; a dark or a narrow page has another than the file.
      const drawn = asSeen(figure, node) === figure ? node : recoloured({ data, layout }, {});
      const url = await renderer.constructor.Plotly.toImage(drawn, { format: "png", width, height });
      if (shown === figure) model.setData({ data: { ...model.data, "image/png": url.split(",")[1] } });
    }
  }

  /** Waits until a figure may be redrawn. */
  async function turn() {
    do await new Promise((resolve) => setTimeout(resolve, restUntil - performance.now()));
    while (performance.now() < restUntil);
  }

  /** Whether JupyterLab's theme is dark. */
  function isDark() {
    return globalThis.document?.body.dataset.jpThemeLight === "false";
  }

  /** Calls back, for as long as a widget lives, when JupyterLab's theme has become light or dark. */
  function onThemeChange(widget, callback) {
    if (globalThis.MutationObserver === undefined) return;
    let before = isDark();
    const observer = new MutationObserver(() => {
      if (isDark() === before) return;
      before = !before;
      void callback();
    });
    observer.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
    widget.disposed?.connect(() => observer.disconnect());
  }

  /** Calls back, for as long as a widget lives, when its place has become wider or narrower. */
  function onWidthChange(widget, callback) {
    if (globalThis.ResizeObserver === undefined) return;
    let before = 0;
    const observer = new ResizeObserver(() => {
      const { clientWidth } = widget.node;
      if (clientWidth === before || clientWidth === 0) return;
      before = clientWidth;
      void callback();
    });
    observer.observe(widget.node);
    widget.disposed?.connect(() => observer.disconnect());
  }

  /** The figure as the page has it: in the colours of its theme, and no wider than the place. */
  function asSeen(figure, place) {
    const dark = figure.layout?.meta?.dark;
    return fitted(dark === undefined || !isDark() ? figure : recoloured(figure, dark), place);
  }

  /**
   * A figure of a fixed size, drawn smaller where its place is narrower: the edges, which hold its text, stay as they are. A title
   * is smaller where it would be longer than the place.
   */
  function fitted(figure, { clientWidth: room }) {
    const { width, height, margin, meta, title } = figure.layout ?? {};
    if (meta === undefined || !(room > 0)) return figure;
    const changes = {};
    if (meta.scales === true && width > room && margin !== undefined) {
      const [beside, above] = [margin.l + margin.r, margin.t + margin.b];
      const portion = Math.max(0.2, (room - beside) / (width - beside));
      Object.assign(changes, { width: room, height: Math.round(above + (height - above) * portion) });
    }
    const length = TITLE.character * longestLine(title?.text ?? "");
    if (length > 0.97 * room) {
      const size = Math.max(TITLE.least, Math.floor((TITLE.size * 0.97 * room) / length));
      changes.title = { ...title, font: { ...title.font, size } };
    }
    return Object.keys(changes).length === 0 ? figure : { ...figure, layout: { ...figure.layout, ...changes } };
  }

  /** How many characters the longest line of a text has, without its marks. */
  function longestLine(text) {
    return Math.max(...text.split("<br>").map((line) => line.replace(/<[^>]*>/g, "").length));
  }

  /** A copy with other colours, with the opacity they had: `#rrggbb`, or `#rrggbbaa`. */
  function recoloured(value, colours) {
    if (typeof value === "string") {
      const [, colour, opacity = ""] = /^(#[\da-f]{6})([\da-f]{2})?$/.exec(value) ?? [];
      return colour in colours ? colours[colour] + opacity : value;
    }
    if (Array.isArray(value)) return value.map((part) => recoloured(part, colours));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, recoloured(part, colours)]));
  }

  /**
   * Gives a figure's place the figure's height. Plotly forgets the height when it fits a figure to a new width, and measures the
   * place instead: one that a responsive figure fills, beside a cell's number, is as high as that number.
   */
  function keepHeight({ node }, { height = HEIGHT } = {}) {
    node.style.height = `${height}px`;
  }

  /** Whether two figures, or parts of them, have the same values. */
  function alike(a, b) {
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return Object.is(a, b);
    const names = Object.keys(a);
    return names.length === Object.keys(b).length && names.every((name) => alike(a[name], b[name]));
  }
})();
