/** All connections that the token may see. */
import type { VNode } from 'preact'
import { usePage } from '../page.ts'
import { ConnectionTable } from './connection-table.tsx'

export function ConnectionsView(): VNode {
  const { live } = usePage()
  return (
    <ConnectionTable
      caption="All connections"
      rows={live.connections.value}
      empty="There is no connection right now. They are opened when somebody asks for a lease or an exchange."
    />
  )
}
