/** Where the lines of a cell are in the JavaScript that it was compiled to, and the other way round, by its source map. */
import { decodeSegment } from "../../vlq.js";

/** A place in a text; line and column count from 0. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

interface Mapping {
  readonly generated: Place;
  readonly original: Place;
}

function mappingsOf(encoded: string): Mapping[] {
  const found: Mapping[] = [];
  let [line, column] = [0, 0];
  for (const [generatedLine, segments] of encoded.split(";").entries()) {
    let generatedColumn = 0;
    for (const segment of segments.split(",")) {
      const [advance, , lines, columns] = decodeSegment(segment);
      if (advance === undefined) continue;
      generatedColumn += advance;
      if (lines === undefined || columns === undefined) continue;
      line += lines;
      column += columns;
      found.push({ generated: { line: generatedLine, column: generatedColumn }, original: { line, column } });
    }
  }
  return found;
}

export class LineMap {
  readonly #mappings: readonly Mapping[];

  /** @param sourceMap version 3, as JSON */
  constructor(sourceMap: string) {
    this.#mappings = mappingsOf((JSON.parse(sourceMap) as { mappings: string }).mappings);
  }

  /** The first place in the JavaScript of a line of the user's, or of the first line after it that has one. */
  generated(line: number): { readonly line: number; readonly place: Place } | undefined {
    let best: Mapping | undefined;
    for (const mapping of this.#mappings) {
      if (mapping.original.line < line) continue;
      const earlier = best === undefined || mapping.original.line < best.original.line;
      if (earlier || (mapping.original.line === best?.original.line && before(mapping.generated, best.generated))) {
        best = mapping;
      }
    }
    return best && { line: best.original.line, place: best.generated };
  }

  /** The place in the user's text of a place in the JavaScript. */
  original(place: Place): Place | undefined {
    let found: Place | undefined;
    for (const { generated, original } of this.#mappings) {
      if (before(place, generated)) break;
      found = original;
    }
    return found;
  }
}

function before(a: Place, b: Place): boolean {
  return a.line < b.line || (a.line === b.line && a.column < b.column);
}
