/** The environment variable by which a kernelspec says that JupyterLab has the extension for figures that change in place. */
export const LIVE_FIGURES = "METASTATE_LIVE_FIGURES";
