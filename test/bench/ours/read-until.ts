/** One message that ends at a separator and comes a byte at a time: how long until it is read. */
import { StreamReader } from '../../../src/streams/reading/stream-reader.ts'
import type { Runner } from '../hosting/runner.ts'

export type ReadUntilOptions = { readonly bytes: number }

const MIB = 1_048_576

export async function open({ bytes }: ReadUntilOptions): Promise<Runner> {
  const byte = Buffer.from('a')
  return {
    run: async () => {
      const reader = new StreamReader({ limit: 2 * bytes })
      const beganMs = performance.now()
      const message = reader.readUntil('\n')
      for (let fed = 1; fed < bytes; fed++) {
        reader.feedData(byte)
        // The reader has looked at it before the next one comes.
        await null
      }
      reader.feedData(Buffer.from('\n'))
      if ((await message).length !== bytes) throw new Error('the message was cut')
      const elapsedMs = performance.now() - beganMs
      return { count: bytes / MIB, elapsedMs }
    },
  }
}
