/**
 * A cell that is an object literal as a whole, `{ a: 1 }` or `{ a, b }`, is one to its reader, though to the grammar it is a
 * block. As in the REPLs of Node and Deno it is then compiled in parentheses.
 */
import ts = require("typescript");
import { decodeSegment, encodeSegment } from "../vlq.js";
import { parseCell, parseErrors } from "./parse.js";

/** A line of its own, so that no column of the cell's moves. */
const OPEN = "(\n";
const CLOSE = "\n)";

/** How far positions in the text in parentheses are from those in the cell. */
export const OPEN_LENGTH = OPEN.length;

/** The cell in parentheses, where that makes an expression of it. A semicolon at its end says that it is meant as a block. */
export function asObjectLiteral(text: string): string | undefined {
  if (!/^\s*\{[^]*[^;\s]\s*$/.test(text)) return undefined;
  const wrapped = OPEN + text + CLOSE;
  const file = parseCell(wrapped);
  const [only, ...more] = file.statements;
  const whole = only !== undefined && ts.isExpressionStatement(only) && ts.isParenthesizedExpression(only.expression);
  return whole && more.length === 0 && parseErrors(file).length === 0 ? wrapped : undefined;
}

/** The source map of the text in parentheses as one of the cell: without the first line. */
export function withoutOpening(sourceMap: string): string {
  const { mappings, ...rest } = JSON.parse(sourceMap) as { mappings: string };
  // Of what a segment refers to: file, line and column; and as it was written last.
  let [source, line, column] = [0, 0, 0];
  let written = [0, 0, 0];
  const lines = mappings.split(";").map((segments) => {
    let [at, writtenAt] = [0, 0];
    const kept: string[] = [];
    for (const segment of segments.split(",")) {
      const [advance, sources, lines, columns] = decodeSegment(segment);
      if (advance === undefined) continue;
      at += advance;
      if (sources === undefined || lines === undefined || columns === undefined) continue;
      [source, line, column] = [source + sources, line + lines, column + columns];
      if (line === 0) continue;
      const place = [source, line - 1, column];
      kept.push(encodeSegment([at - writtenAt, ...place.map((value, i) => value - (written[i] ?? 0))]));
      writtenAt = at;
      written = place;
    }
    return kept.join(",");
  });
  return JSON.stringify({ ...rest, mappings: lines.join(";") });
}
