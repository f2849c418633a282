/** Commands of IPython that people type out of habit, and what does the same here. */

const ELSEWHERE: Readonly<Record<string, string>> = {
  alias: "Lines for the shell begin with an exclamation mark: !command.",
  autoreload: "A file beside the notebook is loaded anew by its import, when it has changed.",
  bash: "Each line for the shell begins with an exclamation mark: !command.",
  capture: "ui.output().capture(() => …) keeps what code shows, and const lines = !command what a program prints.",
  cat: "The shell does it: !cat file.",
  cd: 'process.chdir("folder") changes the folder of files; imports stay those of the notebook\'s.',
  conda: "Packages of cells come from npm: %npm install. For others there is the shell: !conda install.",
  debug: "JupyterLab's debugger stops where an error is thrown: the bug at the upper right of the notebook.",
  env: "process.env has the variables: process.env.NAME shows one, process.env.NAME = value sets it.",
  history: "The front end has the history: the arrow keys of jupyter console, the search of JupyterLab.",
  html: "display.html`<b>${x}</b>` shows HTML.",
  javascript: "Cells are TypeScript, and run in Node.js. For the page there is display.html, with a <script>.",
  js: "Cells are TypeScript, and run in Node.js. For the page there is display.html, with a <script>.",
  latex: "display.latex`…` shows formulas.",
  ls: "The shell does it: !ls.",
  lsmagic: "It is %help.",
  markdown: "display.markdown`…` shows it.",
  matplotlib: "Nothing has to be switched on: display.plotly and display.vega show charts.",
  mkdir: "The shell does it: !mkdir folder.",
  pdb: "JupyterLab's debugger stops where an error is thrown: the bug at the upper right of the notebook.",
  pip: "Packages of cells come from npm: %npm install. For others there is the shell: !pip install.",
  pwd: "It is process.cwd(), or !pwd.",
  run: 'import "./file.ts" runs a file; %load file.ts puts it into the cell.',
  sh: "Each line for the shell begins with an exclamation mark: !command.",
  svg: "display.svg`…` shows it.",
  whos: "It is %who.",
  writefile: "writeFile of node:fs/promises writes a text to a file: await writeFile(path, `…`).",
};

/** What does the same as a command of IPython that is not there; undefined where the name is none of IPython's. */
export function remedyOfIPython(name: string): string | undefined {
  return Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name] : undefined;
}
