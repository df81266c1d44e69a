/**
 * The dashboard at `/dashboard`: one page, whose parts all come from this service. What it shows it asks of the API, with
 * a token that is typed into it.
 */
import { hash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fastify, { type FastifyInstance } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { DASHBOARD_PREFIX } from '../door/auth.ts'
import { registerLazyPages } from './lazy-pages.ts'

/** Nothing stands in the page itself, and no other page may hold this one in a frame. */
const POLICY = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
].join('; ')

/** `folder`: where its built files lie; null where there are none. */
export function dashboardPages(
  app: FastifyInstance,
  { folder }: { readonly folder: string | null },
  done: () => void,
): void {
  app.addHook('onSend', (_request, reply, _payload, next) => {
    reply.header('content-security-policy', POLICY)
    next()
  })
  registerLazyPages(app, {
    urls: ['', '/', '/assets/*'].map(path => `${DASHBOARD_PREFIX}${path}`),
    make: () => makePages(folder),
  })
  done()
}

/** Errors: NOT_FOUND where the files are not there. */
async function makePages(folder: string | null): Promise<FastifyInstance> {
  const page = folder === null ? null : await readFile(join(folder, 'index.html')).catch(fileMissing)
  if (folder === null || page === null)
    throw new SockpoolError('NOT_FOUND', 'the dashboard is not built here: `npm run build` builds it')
  const { fastifyStatic } = await import('@fastify/static')
  const pages = fastify()
  // The names of these files change with what is in them.
  pages.register(fastifyStatic, {
    root: join(folder, 'assets'),
    prefix: `${DASHBOARD_PREFIX}/assets/`,
    index: false,
    decorateReply: false,
    immutable: true,
    maxAge: '365d',
  })
  // By what is in it: size and time are the same for the pages of two releases, as npm packs them.
  const etag = `"${hash('sha256', page, 'base64url')}"`
  for (const path of ['', '/'])
    pages.get(`${DASHBOARD_PREFIX}${path}`, ({ headers }, reply) => {
      reply.headers({ etag, 'cache-control': 'no-cache' })
      if (hasTag(headers['if-none-match'], etag)) return reply.code(304).send()
      return reply.type('text/html; charset=utf-8').send(page)
    })
  await pages.ready()
  return pages
}

function fileMissing(error: unknown): null {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
  throw error
}

function hasTag(tags: string | undefined, etag: string): boolean {
  const known = tags?.split(',').map(tag => tag.trim().replace(/^W\//, '')) ?? []
  return known.includes(etag) || known.includes('*')
}
