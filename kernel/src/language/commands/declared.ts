/** What cells have declared, with types: what `%who` shows. */
import ts = require("typescript");

/** A name that cells have declared. */
export interface DeclaredName {
  readonly name: string;
  /** `type` has no value to look at; `other` has one that its type tells of: a function, a class, an import. */
  readonly kind: "variable" | "type" | "other";
  /** As TypeScript writes it. */
  readonly type: string;
  /** Where the cell at hand declares it; undefined for a name of an earlier cell. */
  readonly position?: number;
}

/** The names that a module exports: a cell, or the declarations of one. */
export function declaredIn(
  program: ts.Program,
  file: ts.SourceFile,
  wanted: (name: string) => boolean,
  isCell: boolean,
): DeclaredName[] {
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(file);
  if (module === undefined) return [];
  return checker
    .getExportsOfModule(module)
    .filter(({ name }) => wanted(name))
    .map((exported) => {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      const place = exported.declarations?.[0];
      // An export clause at a cell's end speaks of a declaration above it.
      const local =
        place !== undefined && ts.isExportSpecifier(place)
          ? checker.getExportSpecifierLocalTargetSymbol(place)
          : exported;
      const declaration = local?.declarations?.[0];
      const position = isCell && declaration !== undefined ? { position: declaration.getStart() } : {};
      return { name: exported.name, ...described(checker, symbol, file), ...position };
    });
}

function described(
  checker: ts.TypeChecker,
  symbol: ts.Symbol,
  file: ts.SourceFile,
): Pick<DeclaredName, "kind" | "type"> {
  const { flags } = symbol;
  if (flags & ts.SymbolFlags.Class) return { kind: "other", type: "class" };
  if (flags & ts.SymbolFlags.Enum) return { kind: "other", type: "enum" };
  if (flags & ts.SymbolFlags.Function) {
    return { kind: "other", type: checker.typeToString(checker.getTypeOfSymbolAtLocation(symbol, file), file) };
  }
  if (flags & ts.SymbolFlags.Variable) {
    return { kind: "variable", type: checker.typeToString(checker.getTypeOfSymbolAtLocation(symbol, file), file) };
  }
  if (flags & ts.SymbolFlags.Interface) return { kind: "type", type: "interface" };
  if (flags & ts.SymbolFlags.TypeAlias) return { kind: "type", type: "type" };
  if (flags & (ts.SymbolFlags.NamespaceModule | ts.SymbolFlags.ValueModule))
    return { kind: "other", type: "namespace" };
  return { kind: "other", type: "import" };
}
