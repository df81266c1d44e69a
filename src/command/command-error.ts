/** A failure of the command itself, told to a human: what went wrong and what to do next. */

/** `exitCode` 2: the command was called wrongly; 1: it was called rightly and failed. */
export class CommandError extends Error {
  readonly exitCode: 1 | 2

  constructor(exitCode: 1 | 2, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CommandError'
    this.exitCode = exitCode
  }
}
