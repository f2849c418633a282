/** `%tb`: the last error once more, with the frames of packages. */
import { display } from "../../cell-api/display.js";
import { latestErrorInFull } from "../traceback.js";

export function showLatestError(): void {
  const lines = latestErrorInFull();
  display.mime({ "text/plain": lines === undefined ? "There was no error yet." : lines.join("\n") });
}
