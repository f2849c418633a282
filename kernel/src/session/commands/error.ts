/** A command that could not do what it was asked for. */
export class CommandError extends Error {
  override name = "CommandError";
}
