/** The service has answered a command's call, and the answer is no. */
import { CommandError } from './command-error.ts'

export class ServiceRefused extends CommandError {
  /** Of HTTP. */
  readonly status: number

  constructor(status: number, message: string) {
    super(1, message)
    this.name = 'ServiceRefused'
    this.status = status
  }

  /** Whether the same call may well be answered another time: the service drains, is busy, or starts. */
  get isPassing(): boolean {
    return this.status === 429 || this.status >= 500
  }
}
