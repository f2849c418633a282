import { syntax } from "./syntax.js";
import { testCells } from "./table.js";

testCells(syntax);
