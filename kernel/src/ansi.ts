/** The escape codes with which messages are coloured; front ends show them as a terminal would. */
export const ansi = {
  red: "\u001b[91m",
  cyan: "\u001b[96m",
  // Of the 256 colours, not the bright black of the sixteen, which JupyterLab's dark theme shows on a dark ground.
  grey: "\u001b[38;5;244m",
  bold: "\u001b[1m",
  inverse: "\u001b[7m",
  reset: "\u001b[0m",
} as const;
