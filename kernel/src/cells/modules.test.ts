import { modules } from "./modules.js";
import { testCells } from "./table.js";

testCells(modules);
