/** The language process that starts without a snapshot. */
import { Library } from "./library.js";
import { serve } from "./server.js";

serve(new Library());
