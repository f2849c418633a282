import { names } from "./names.js";
import { testCells } from "./table.js";

testCells(names);
