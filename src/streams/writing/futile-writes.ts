/** asyncio's warning of a program that writes on to a connection that is gone, and does not drain. */
import type { StreamWriter } from './stream-writer.ts'

/** Writes that may meet a lost connection before anybody could have told the program. */
const UNAWARE_WRITES = 4

/** Emits a process warning for every write to a lost connection from the fifth on. Source: asyncio's transports. */
export function warnOfFutileWrites(writer: StreamWriter): void {
  writer.onFutileWrite = count => {
    if (count > UNAWARE_WRITES) process.emitWarning('socket.send() raised exception.', 'FutileWriteWarning')
  }
}
