/** Rows `bulk-…`: so many bytes in at one connection, as fast as they come, taken in different ways. */
import type { Goal } from '../goals.ts'
import type { HostedInput } from '../hosting/hosted.ts'
import { fieldOf } from '../hosting/hosted-field.ts'
import type { BulkHow } from '../ours/bulk.ts'
import { startFarEnd } from '../peers/far-end.ts'
import type { Row } from '../rounds.ts'

export type BulkKind = 'read' | 'into' | 'reuse' | 'pipe'

const WHAT: Readonly<Record<BulkKind, string>> = {
  read: 'read(65536) and chunks()',
  into: 'readInto',
  reuse: 'chunks({ reuse: true })',
  pipe: 'toDuplex().pipe()',
}

export function bulkRow(name: string, kind: BulkKind, goals: readonly Goal[]): Row {
  return {
    name,
    what: `512 MiB received over one connection by ${WHAT[kind]}`,
    unit: 'MiB/s',
    goals,
    setUp: async () => {
      const peer = await startFarEnd()
      return fieldOf(peer, contendersOf(kind, peer.ports.bulk))
    },
  }
}

function contendersOf(kind: BulkKind, port: number): readonly HostedInput[] {
  const ours = (name: string, how: BulkHow): HostedInput => ({
    name,
    file: 'ours/bulk.ts',
    options: { port, how },
  })
  const net = (name: string, how: 'data' | 'onread' | 'pipe'): HostedInput => ({
    name,
    file: 'rivals/net-bulk.ts',
    options: { port, how },
  })
  switch (kind) {
    case 'read':
      return [ours('sockpool', 'read'), ours('chunks', 'chunks'), net('net', 'data')]
    case 'into': {
      const relay: HostedInput = { name: 'relay', file: 'rivals/relay-bulk.ts', options: { port } }
      return [ours('sockpool', 'into'), net('net', 'data'), net('net-onread', 'onread'), relay]
    }
    case 'reuse':
      return [ours('sockpool', 'reuse'), net('net', 'data')]
    case 'pipe':
      return [ours('sockpool', 'pipe'), net('net', 'pipe')]
    default:
      return kind satisfies never
  }
}
