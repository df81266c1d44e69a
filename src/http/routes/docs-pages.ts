/**
 * The API, to be read and tried in a browser at `/docs`, without a request to any other host. The pages are the same for
 * everybody and say nothing of what the service does, so they ask for no token; what is tried from them needs one.
 */
import swaggerUi, { type FastifySwaggerUiOptions } from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import { SockpoolError } from '../../base/errors.ts'
import { DOCS_PREFIX } from '../door/auth.ts'
import { sendProblem } from '../problems.ts'

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

/** `document`: the bytes of the OpenAPI document. */
export function docsPages(
  app: FastifyInstance,
  { document }: { readonly document: () => Buffer },
  done: () => void,
): void {
  app.addHook('onSend', (_request, reply, _payload, next) => {
    reply.headers(HEADERS)
    next()
  })
  app.setErrorHandler((error, request, reply) => sendProblem(adopted(error), request, reply))
  app.register(swaggerUi, { ...OPTIONS, uiHooks: { onRequest: sendDocument(document) } })
  done()
}

const OPTIONS: FastifySwaggerUiOptions = {
  routePrefix: DOCS_PREFIX,
  staticCSP: POLICY,
  // Without the bar that asks for the address of some other document.
  uiConfig: { layout: 'BaseLayout', deepLinking: true, docExpansion: 'list', tryItOutEnabled: true },
  theme: { title: 'sockpool API', js: [{ filename: 'token.js', content: TAKE_TOKEN }] },
}

/** For the server of the files, a path that leads out of them or cannot be one is an error of its own. */
function adopted(error: unknown): unknown {
  const { status, statusCode = status } = error as {
    readonly status?: unknown
    readonly statusCode?: unknown
  }
  const isTheirs = !(error instanceof SockpoolError) && typeof statusCode === 'number' && statusCode < 500
  return isTheirs ? new SockpoolError('NOT_FOUND', 'there is no such page') : error
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
