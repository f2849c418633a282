/**
 * What is known of a name as HTML, for front ends that show no Markdown. The documentation is that of `language/inspection.ts`: of
 * Markdown's syntax it has what people write in comments.
 */

/** Colours of the page's editor, where it has them by these names, as JupyterLab does. */
const COLOURS = {
  comment: "var(--jp-mirror-editor-comment-color, #408080)",
  string: "var(--jp-mirror-editor-string-color, #ba2121)",
  number: "var(--jp-mirror-editor-number-color, #080)",
  keyword: "var(--jp-mirror-editor-keyword-color, #008000)",
} as const;

const TOKEN = new RegExp(
  [
    String.raw`(?<comment>\/\/.*|\/\*[^]*?\*\/)`,
    String.raw`(?<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|${"`"}(?:[^${"`"}\\]|\\.)*${"`"})`,
    String.raw`(?<number>\b\d[\d_]*(?:\.\d+)?n?\b)`,
    String.raw`(?<keyword>\b(?:abstract|any|as|async|bigint|boolean|class|const|constructor|enum|export|extends|false|function|get|implements|import|in|infer|interface|is|keyof|let|namespace|never|new|null|number|object|of|override|private|protected|public|readonly|return|set|static|string|symbol|this|true|type|typeof|undefined|unique|unknown|var|void)\b)`,
  ].join("|"),
  "g",
);

/** A text in HTML. */
function escape(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** A piece of TypeScript, in colours. */
function code(text: string): string {
  let html = "";
  let end = 0;
  for (const match of text.matchAll(TOKEN)) {
    const [kind] = Object.entries(match.groups ?? {}).find(([, found]) => found !== undefined) ?? [];
    html += `${escape(text.slice(end, match.index))}<span style="color: ${COLOURS[kind as keyof typeof COLOURS]}">${escape(match[0])}</span>`;
    end = match.index + match[0].length;
  }
  return `<pre><code>${html}${escape(text.slice(end))}</code></pre>`;
}

const FENCE = /^```\w*\n([^]*?)\n?```$/m;
const INLINE =
  /`(?<code>[^`]+)`|\[(?<label>[^\]]+)\]\((?<address>https?:[^)\s]+)\)|\*\*(?<bold>[^*]+)\*\*|\*(?<italic>[^*\s](?:[^*\n]*[^*\s])?)\*/g;

/** Marks within a line. */
function inline(text: string): string {
  let html = "";
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const { code: literal, label, address, bold, italic } = match.groups ?? {};
    html += escape(text.slice(end, match.index));
    if (literal !== undefined) html += `<code>${escape(literal)}</code>`;
    else if (label !== undefined) html += `<a href="${escape(address ?? "")}">${escape(label)}</a>`;
    else if (bold !== undefined) html += `<strong>${inline(bold)}</strong>`;
    else html += `<em>${inline(italic ?? "")}</em>`;
    end = match.index + match[0].length;
  }
  return html + escape(text.slice(end));
}

/** Paragraphs and lists; a line of a comment ends where the next begins, as people write them. */
function paragraphs(markdown: string): string {
  return markdown
    .split(/\n{2,}/)
    .map((block) => block.trim())
    .filter((block) => block !== "")
    .map((block) => {
      const lines = block.split("\n");
      if (lines.every((line) => /^\s*[-*] /.test(line)))
        return `<ul>${lines.map((line) => `<li>${inline(line.replace(/^\s*[-*] /, ""))}</li>`).join("")}</ul>`;
      return `<p>${lines.map(inline).join("\n")}</p>`;
    })
    .join("");
}

/** A signature above its documentation, which is Markdown. */
export function inspectionHtml(signature: string, documentation: string): string {
  const parts = documentation.split(new RegExp(FENCE, "gm"));
  return code(signature) + parts.map((part, i) => (i % 2 === 1 ? code(part) : paragraphs(part))).join("");
}
