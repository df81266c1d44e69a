/** The module of row `parse-run`: reads so many lines with plain blocking calls and sums up what is in them. */
import type { BlockingReader } from '../../src/streams/blocking/blocking-reader.ts'

export default function sumOf(reader: BlockingReader, records: number): number {
  let sum = 0
  for (let index = 0; index < records; index++) {
    const { id } = JSON.parse(reader.readLine().toString('utf8')) as { id: number }
    sum += id
  }
  return sum
}
