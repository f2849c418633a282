import { globals } from "./globals.js";
import { testCells } from "./table.js";

testCells(globals);
