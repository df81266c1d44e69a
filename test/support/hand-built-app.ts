/** An app that nobody configured: for looks at its routes, and for whoever puts another pool behind them. */
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../../src/http/app.ts'
import type { PoolPort } from '../../src/http/ports.ts'

export type HandBuiltPool = Partial<Omit<PoolPort, 'forwards'>> & { readonly forwards: object }

/** `pool`: only what the routes that are called use of it, and what is asked of it when they are registered. */
export function handBuiltApp(pool: HandBuiltPool): FastifyInstance {
  return buildApp({
    pool: pool as PoolPort,
    auth: null,
    listen: { kind: 'tcp', host: '127.0.0.1', port: 0 },
    hosts: [],
    origins: [],
    tls: false,
    limits: { bodyBytes: 16_777_216, operationTimeoutMs: 30_000 },
    version: '0.0.0',
    metrics: { page: contentType => Promise.resolve({ contentType, text: '' }) },
    mayListen: () => null,
    isClosing: () => false,
    reload: () => {
      throw new Error('nothing is read anew here')
    },
    accessLog: () => 'errors',
    log: { level: 'silent' },
  })
}
