/**
 * Pages that are the same for everybody and say nothing of what the service does, so that they ask for no token. They are
 * an app of their own, which is made when somebody first reads them: to load what they need would take a good part of the
 * service's whole start.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

/** Headers that whoever sends the answer on writes itself. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
])

export type LazyPages = {
  /** The routes that there are. */
  readonly urls: readonly string[]
  /** Makes the app that answers them. Where it fails, the next reader has it tried again. */
  readonly make: () => Promise<FastifyInstance>
}

/** Registers them. To be called in a plugin of their own, as all its answers get the headers of pages. */
export function registerLazyPages(app: FastifyInstance, { urls, make }: LazyPages): void {
  let pages: Promise<FastifyInstance> | null = null
  app.addHook('onSend', (_request, reply, _payload, next) => {
    reply.headers(HEADERS)
    next()
  })
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<Buffer> => {
    pages ??= make().catch(error => {
      // The next reader may find the descriptors that their files need.
      pages = null
      throw error
    })
    const { url, headers } = request
    const page = await (await pages).inject({ method: 'GET', url, headers })
    const { statusCode } = page
    if (statusCode >= 500) throw new Error(`the pages answered with ${statusCode}`)
    if (statusCode >= 400) throw new SockpoolError('NOT_FOUND', 'there is no such page')
    for (const [name, value] of Object.entries(page.headers))
      if (value !== undefined && !OF_THE_CONNECTION.has(name)) reply.header(name, value)
    reply.code(statusCode)
    return page.rawPayload
  }
  for (const url of urls) app.route({ method: 'GET', url, schema: { hide: true }, handler })
}
