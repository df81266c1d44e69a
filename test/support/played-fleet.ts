/** A fleet as the page of a service is told of it, while the service stands alone: what it is made of changes when a test says so. */
import type { Page } from 'playwright-core'
import type { FleetRows, InstanceRow } from '../../src/base/fleet-data.ts'

export type PlayedAnswer = FleetRows & { readonly state: string; readonly name: string | null }

/** As long as a name may be. */
export const LONG_NAME: string = 'pool-'.padEnd(64, 'b')

export const PLAYED_FLEET: PlayedAnswer = {
  state: 'joined',
  name: 'pool-a',
  instances: [instance('pool-a', 3), instance(LONG_NAME, 12), instance('pool-c', 0)],
  caps: {
    orders: { cap: 48, held: 48, byInstance: { 'pool-a': 16, [LONG_NAME]: 27, 'pool-c': 5 } },
    ledger: { cap: 200, held: 1, byInstance: { 'pool-a': 1 } },
  },
}

export class PlayedFleet {
  answer: object = PLAYED_FLEET
  status = 200
  /** How often the page has asked. */
  asked = 0

  /** To be called before the page is opened. */
  readonly prepare = async (page: Page): Promise<void> => {
    await page.route('**/v1/fleet', async route => {
      this.asked++
      await route.fulfill({ status: this.status, json: this.answer })
    })
  }
}

function instance(name: string, leases: number): InstanceRow {
  return {
    name,
    url: `http://${name}.pools.internal:7070`,
    leases,
    connections: leases + 1,
    seenAt: '2026-11-28T23:30:53.338Z',
    startedAt: '2026-11-28T20:00:00.000Z',
    version: '0.2.0',
  }
}
