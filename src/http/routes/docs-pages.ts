/**
 * The API, to be read and tried in a browser at `/docs`, without a request to any other host. The pages are the same for
 * everybody and say nothing of what the service does, so they ask for no token; what is tried from them needs one.
 */
import type { FastifySwaggerUiOptions } from '@fastify/swagger-ui'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { DOCS_PREFIX } from '../door/auth.ts'

/** Nothing comes from elsewhere, nothing goes elsewhere, and no page may hold this one in a frame. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
}

/** A token that comes as `#token=` is typed in for the reader, and leaves the address bar. */
const TAKE_TOKEN = `{
  const given = /[#&]token=([^&]+)/.exec(location.hash)
  if (given) {
    history.replaceState(null, '', location.pathname + location.search)
    const Bundle = window.SwaggerUIBundle
    const authorized = config => {
      const onComplete = () => ui.preauthorizeApiKey('bearer', decodeURIComponent(given[1]))
      const ui = Bundle({ ...config, onComplete })
      return ui
    }
    window.SwaggerUIBundle = Object.assign(authorized, Bundle)
  }
}
`

/** What there is, by its path behind the prefix. */
const PAGES = ['', '/', '/json', '/yaml', '/static/*'] as const

/**
 * `document`: the bytes of the OpenAPI document. The pages are an app of their own, which is made when somebody first reads
 * them: to load what they need takes a fifth of the service's whole start.
 */
export function docsPages(
  app: FastifyInstance,
  { document }: { readonly document: () => Buffer },
  done: () => void,
): void {
  let pages: Promise<FastifyInstance> | null = null
  app.addHook('onSend', (_request, reply, _payload, next) => {
    reply.headers(HEADERS)
    next()
  })
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<Buffer> => {
    pages ??= makePages(app, document)
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
  for (const path of PAGES)
    app.route({ method: 'GET', url: `${DOCS_PREFIX}${path}`, schema: { hide: true }, handler })
  done()
}

/** Headers that whoever sends the answer on writes itself. */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'date',
  'keep-alive',
  'transfer-encoding',
])

async function makePages(app: FastifyInstance, document: () => Buffer): Promise<FastifyInstance> {
  const { fastifySwaggerUi } = await import('@fastify/swagger-ui')
  const pages = fastify()
  pages.decorate('swagger', app.swagger.bind(app))
  const options = { ...OPTIONS, uiHooks: { onRequest: sendDocument(document) } }
  // Not as it comes: it asks for the plugin that writes the document, which is in the other app.
  pages.register((own, _options, done) => {
    Promise.resolve(fastifySwaggerUi(own, options, () => {})).then(() => done(), done)
  })
  await pages.ready()
  return pages
}

const OPTIONS: FastifySwaggerUiOptions = {
  routePrefix: DOCS_PREFIX,
  staticCSP: POLICY,
  // Without the bar that asks for the address of some other document.
  uiConfig: { layout: 'BaseLayout', deepLinking: true, docExpansion: 'list', tryItOutEnabled: true },
  theme: { title: 'sockpool API', js: [{ filename: 'token.js', content: TAKE_TOKEN }] },
}

/** The document is written once, not for each reader anew. */
function sendDocument(
  document: () => Buffer,
): NonNullable<NonNullable<FastifySwaggerUiOptions['uiHooks']>['onRequest']> {
  return (request, reply, next) => {
    if (request.routeOptions.url !== `${DOCS_PREFIX}/json`) return next()
    reply.type('application/json').send(document())
  }
}
