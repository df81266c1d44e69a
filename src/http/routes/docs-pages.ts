/**
 * The API, to be read and tried in a browser at `/docs`, without a request to any other host. The pages are the same for
 * everybody and say nothing of what the service does, so they ask for no token; what is tried from them needs one.
 */
import type { FastifySwaggerUiOptions } from '@fastify/swagger-ui'
import fastify, { type FastifyInstance } from 'fastify'
import { DOCS_PREFIX } from '../door/auth.ts'
import { registerLazyPages } from './lazy-pages.ts'

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

/** `document`: the bytes of the OpenAPI document. */
export function docsPages(
  app: FastifyInstance,
  { document }: { readonly document: () => Buffer },
  done: () => void,
): void {
  registerLazyPages(app, {
    urls: PAGES.map(path => `${DOCS_PREFIX}${path}`),
    make: () => makePages(app, document),
  })
  done()
}

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
