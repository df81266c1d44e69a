/** The NDJSON that row `parse` sends: log records of some 300 bytes, in a block that is sent again and again. */

const RECORDS: number = 4_096

/** The same bytes in whichever process. */
export function recordsBlock(): Buffer {
  const rows = Array.from({ length: RECORDS }, (_, index) => JSON.stringify(recordOf(index)))
  return Buffer.from(`${rows.join('\n')}\n`)
}

/** Records in a block. */
export const BLOCK_RECORDS: number = RECORDS

function recordOf(index: number): object {
  return {
    id: index,
    at: new Date(1_700_000_000_000 + index * 1_000).toISOString(),
    level: index % 9 === 0 ? 'warn' : 'info',
    host: `node-${index % 64}.example.com`,
    request: { method: 'GET', path: `/things/${index}/parts?page=${index % 100}`, status: 200 },
    ms: (index % 1_000) / 8,
    tags: ['blue', 'eu-west', `shard-${index % 16}`],
    note: 'The quick brown fox jumps over the lazy dog; there is nothing else to see here.',
  }
}

/** What the ids of a block come to. */
export function sumOfBlock(): number {
  return (RECORDS * (RECORDS - 1)) / 2
}
