import { basics } from "./basics.js";
import { testCells } from "./table.js";

testCells(basics);
