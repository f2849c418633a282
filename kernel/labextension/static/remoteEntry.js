/**
 * An extension of JupyterLab by which plotly figures change in place.
 *
 * JupyterLab draws figures with the renderer of the Python package plotly, which draws its first figure and never looks at
 * another. Here its renderers learn to: an update goes to plotly's own `react`, which redraws what has changed and keeps
 * the reader's zoom. Nothing is drawn here, so there is nothing to build: JupyterLab loads this file as it is, as a container
 * of modules with `init` and `get`. Where the renderer is missing, or is made in another way, nothing is changed.
 */
(() => {
  const MIME = "application/vnd.plotly.v1+json";
  /** Height of a figure that says none, in pixels, as the renderer has it. */
  const HEIGHT = 360;
  /** Time without an update after which the picture that is saved with the notebook is made anew, in milliseconds. */
  const QUIET_MS = 1000;

  const containers = (globalThis._JUPYTERLAB ??= {});

  containers["metastate-live-figures"] = {
    init() {},
    async get() {
      try {
        const factory = await containers["jupyterlab-plotly"]?.get("./mimeExtension");
        for (const { rendererFactory } of [factory?.().default ?? []].flat()) extend(rendererFactory);
      } catch (error) {
        console.warn("Plotly figures will not change in place:", error);
      }
      return () => ({ __esModule: true, default: [] });
    },
  };

  function extend(rendererFactory) {
    if (!rendererFactory?.mimeTypes?.includes(MIME)) return;
    const create = rendererFactory.createRenderer.bind(rendererFactory);
    rendererFactory.createRenderer = (options) => live(create(options));
  }

  /** A renderer that looks at every figure it is given. */
  function live(renderer) {
    const drawFirst = renderer.renderModel.bind(renderer);
    let shown;
    let timer;
    renderer.renderModel = async (model) => {
      const figure = model.data[MIME];
      if (figure === shown) return;
      const first = renderer.node.querySelector(".plot-container") === null;
      shown = figure;
      if (first) return drawFirst(model);
      const { Plotly } = renderer.constructor;
      if (Plotly === undefined || Plotly === null) {
        renderer.node.querySelector(".plot-container").remove();
        return drawFirst(model);
      }
      const { data, layout = {}, config } = figure;
      const { height = HEIGHT, uirevision = true } = layout;
      await Plotly.react(renderer.node, data, { ...layout, height, uirevision }, config);
      clearTimeout(timer);
      timer = setTimeout(() => void savePicture(Plotly, renderer, model, figure), QUIET_MS);
    };
    return renderer;
  }

  /** Adds the figure's picture to the output, as the renderer does for its first: exports of the notebook show it. */
  async function savePicture(Plotly, { node }, model, figure) {
    const { offsetWidth: width, offsetHeight: height } = node;
    if (width === 0 || height === 0 || model.data[MIME] !== figure) return;
    const url = await Plotly.toImage(node, { format: "png", width, height });
    if (model.data[MIME] === figure) model.setData({ data: { ...model.data, "image/png": url.split(",")[1] } });
  }
})();
