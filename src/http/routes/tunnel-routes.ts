/** Raw tunnels over a lease: `CONNECT`, as an HTTP proxy opens them, and `Upgrade: tcp`. */

import { Type } from 'typebox'
import { LIMITS } from '../../base/limits.ts'
import { parseHostPort } from '../../config/address.ts'
import { clientSignalOf } from '../bytes/client-signal.ts'
import { ACQUIRE_PROBLEMS } from '../document/problem-codes.ts'
import type { TunnelHandler } from '../door/tunnels.ts'
import { assertUpgrade, takeUpgrade, type UpgradeConfig } from '../door/upgrades.ts'
import { leaseOriginOf } from '../leases/lease-origin.ts'
import type { RowsPort, TargetChoice } from '../ports.ts'
import { invalidField } from '../problems.ts'
import { LeaseTunnel } from '../streaming/lease-tunnel.ts'
import type { Calls } from './calls.ts'
import type { LeaseAcquirer } from './lease-acquirer.ts'
import { type RouteTable, route } from './route-table.ts'
import { CLOSED, ProblemAnswer } from './schemas.ts'

const CONFIG: UpgradeConfig = { upgrade: 'tcp' }

const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'
const CONNECTED = 'HTTP/1.1 200 Connection Established\r\n\r\n'

const ConnectSchema = {
  tags: ['streams'],
  operationId: 'openTunnel',
  summary: 'Open a raw tunnel over a lease',
  description:
    'With `Connection: Upgrade` and `Upgrade: tcp`. After the 101 the bytes of the connection go both ways as they are, and ' +
    'each end of a direction is passed on. The connection is closed with the tunnel.',
  params: Type.Object({
    target: Type.String({
      minLength: 1,
      description: 'The name of a target, or `HOST:PORT` as egress rules allow it.',
    }),
  }),
  querystring: Type.Object(
    {
      waitMs: Type.Optional(
        Type.Integer({
          minimum: 0,
          maximum: LIMITS.leaseWaitMsMax,
          description: "Milliseconds to wait for a free connection; default: the target's.",
        }),
      ),
    },
    CLOSED,
  ),
  response: { 101: Type.Null({ description: 'The connection is a tunnel now.' }), default: ProblemAnswer },
}

export function tunnelRoutes(calls: Calls, acquirer: LeaseAcquirer, pool: RowsPort): RouteTable {
  return {
    routes: [
      route({
        method: 'GET',
        url: '/v1/connect/:target',
        exposeHeadRoute: false,
        config: CONFIG,
        schema: ConnectSchema,
        problems: [...ACQUIRE_PROBLEMS, 'UPGRADE_REQUIRED'],
        run: async (request, reply) => {
          assertUpgrade(request, reply, 'tcp')
          const { target: text } = request.params
          const target = isNamed(pool, text) ? text : (parseHostPort(text) ?? text)
          const principal = calls.admit(request, target)
          const wishes = { target, ...request.query }
          const held = await acquirer.lease(
            wishes,
            principal,
            clientSignalOf(request),
            leaseOriginOf(request),
          )
          try {
            const left = takeUpgrade(request, reply, 'tcp')
            await new LeaseTunnel({ held, left, answer: SWITCHED }).run()
          } catch (error) {
            await held.lease.discard()
            throw error
          }
          return reply
        },
      }),
    ],
  }
}

/** Opens the tunnels that CONNECT asks for. */
export function tunnelHandler(acquirer: LeaseAcquirer, pool: RowsPort): TunnelHandler {
  return async request => {
    const { authority, principal, signal } = request
    const target = targetOf(authority, pool)
    principal.authorize(target)
    const held = await acquirer.lease({ target }, principal, signal, { route: 'CONNECT' })
    try {
      const left = request.take()
      await new LeaseTunnel({ held, left, answer: CONNECTED }).run()
    } catch (error) {
      await held.lease.discard()
      throw error
    }
  }
}

/** A host that is a configured target's name is that target, whatever the port. Errors: INVALID_REQUEST. */
function targetOf(authority: string, pool: RowsPort): TargetChoice {
  const place = parseHostPort(authority)
  if (place === null) throw invalidField('authority', 'must be HOST:PORT with a port from 1 to 65535')
  return isNamed(pool, place.host) ? place.host : place
}

function isNamed(pool: RowsPort, text: string): boolean {
  return pool.targets().some(({ name, tenant }) => tenant === null && name === text)
}
