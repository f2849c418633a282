import { errors } from "./errors.js";
import { testCells } from "./table.js";

testCells(errors);
