/** A lease as a WebSocket. What is wrong with the request is an ordinary problem; from the 101 on it is a close code. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { READ_PROBLEMS } from '../document/problem-codes.ts'
import { assertUpgrade, isUpgrade, takeUpgrade, type UpgradeConfig } from '../door/upgrades.ts'
import { LeaseStream } from '../streaming/lease-stream.ts'
import { StreamSlot } from '../streaming/stream-slot.ts'
import { WebSocketDoor } from '../streaming/web-socket-door.ts'
import type { Calls } from './calls.ts'
import { type RouteTable, route } from './route-table.ts'
import { CLOSED, LeaseParams, ProblemAnswer } from './schemas.ts'

const CONFIG: UpgradeConfig = { upgrade: 'websocket' }

const StreamSchema = {
  tags: ['streams'],
  operationId: 'streamLease',
  summary: 'Stream a lease over WebSocket',
  description:
    'Subprotocol `sockpool.v1`; a page adds its token as `token.<token>`. Binary messages are bytes, the text ' +
    '`{"eof":true}` is the end of a direction. One for each lease: a new one takes over.',
  params: LeaseParams,
  querystring: Type.Object(
    {
      ack: Type.Optional(
        Type.Boolean({
          description:
            'The client says by `{"consumed":OFFSET}` what it has; default false: what is sent is consumed.',
        }),
      ),
      offset: Type.Optional(
        Type.Integer({
          minimum: 0,
          description: 'Stream offset of the first byte that the client does not have.',
        }),
      ),
    },
    CLOSED,
  ),
  response: { 101: Type.Null({ description: 'The connection is a WebSocket now.' }), default: ProblemAnswer },
}

export function streamRoute(calls: Calls): RouteTable {
  const door = new WebSocketDoor()
  return {
    routes: [
      route({
        method: 'GET',
        url: '/v1/leases/:id/stream',
        exposeHeadRoute: false,
        config: CONFIG,
        schema: StreamSchema,
        problems: [...READ_PROBLEMS.filter(code => code !== 'READ_TIMEOUT'), 'UPGRADE_REQUIRED'],
        run: async (request, reply) => {
          await openStream(calls, door, request, reply)
          return reply
        },
      }),
    ],
  }
}

type StreamRequest = FastifyRequest & {
  readonly params: { readonly id: string }
  readonly query: { readonly ack?: boolean; readonly offset?: number }
}

/** Errors: UPGRADE_REQUIRED, INVALID_REQUEST, LEASE_NOT_FOUND, LEASE_GONE, READ_BUSY, OFFSET_GONE, OFFSET_MISMATCH. */
async function openStream(
  calls: Calls,
  door: WebSocketDoor,
  request: StreamRequest,
  reply: FastifyReply,
): Promise<void> {
  // Whose lease it is comes first; the end of a broken connection is told once, to whom asks for a stream.
  if (!isUpgrade(request, 'websocket')) calls.leaseOf(request)
  assertUpgrade(request, reply, 'websocket')
  door.check(request.raw.headers)
  const held = calls.leaseToRead(request)
  const slot = StreamSlot.of(held)
  const { ack = false, offset } = request.query
  await slot.replace(async () => {
    const again = offset === undefined ? Buffer.alloc(0) : await slot.startAt(offset)
    const left = takeUpgrade(request, reply, 'websocket')
    const socket = door.open(request.raw, left)
    if (socket === null) return null
    return new LeaseStream({
      held,
      socket,
      left,
      isAcknowledged: ack,
      again,
      onSent: sent => slot.sent(sent),
      isDraining: calls.isClosing,
      onFault: error => request.log.error({ err: error }, 'internal error in a stream'),
    })
  })
}
