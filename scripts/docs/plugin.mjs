// @ts-check
// A plugin of TypeDoc: symbols of the reference stand under the concept whose folder of lib/src they are written in, and guides
// under their headings.
import { Comment, CommentTag, Converter, ReflectionKind } from "typedoc";

/** What a reader looks for, by folder; in the order of the reference. */
export const concepts = new Map([
  ["model", "Models"],
  ["sse", "SSE variants"],
  ["baselines", "Baselines"],
  ["training", "Training"],
  ["generation", "Generation"],
  ["growth", "Growth"],
  ["inspection", "Inspection"],
  ["comparison", "Comparison"],
  ["data", "Texts and batches"],
  ["tokenizers", "Tokenizers"],
  ["tasks", "Tasks"],
  ["plots", "Plots"],
  ["io", "Files"],
  ["ops", "Ops"],
]);

/** @param {import("typedoc").Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    for (const guide of context.project.documents ?? []) {
      const heading = guide.content.map(({ text }) => text).join("");
      guide.name = /^# (.+)$/m.exec(heading)?.[1] ?? guide.name;
    }
    for (const reflection of context.project.getReflectionsByKind(ReflectionKind.SomeExport)) {
      if (!reflection.parent?.kindOf(ReflectionKind.SomeModule)) continue;
      const file = context.getSymbolFromReflection(reflection)?.declarations?.[0]?.getSourceFile().fileName;
      const folder = file && /\/lib\/src\/([^/]+)\//.exec(file)?.[1];
      const concept = folder && concepts.get(folder);
      if (!concept) continue;
      // TypeDoc reads a function's category off its signatures.
      for (const documented of reflection.isDeclaration() ? (reflection.signatures ?? [reflection]) : []) {
        documented.comment ??= new Comment();
        documented.comment.blockTags.push(new CommentTag("@category", [{ kind: "text", text: concept }]));
      }
    }
  });
}
