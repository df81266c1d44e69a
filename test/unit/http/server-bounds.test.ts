import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../../src/base/limits.ts'
import { harness } from './fakes.ts'

describe('the HTTP server', () => {
  test('bounds its connections, their requests, and the time of their headers', () => {
    const { server } = harness().app
    expect(server.maxConnections).toBe(LIMITS.httpConnectionsMax)
    expect(server.maxRequestsPerSocket).toBe(LIMITS.httpRequestsPerSocketMax)
    expect(server.headersTimeout).toBe(LIMITS.httpHeadersTimeoutMs)
    expect(server.keepAliveTimeout).toBe(LIMITS.httpKeepAliveMs)
    // Node's own bound of a whole request would cut an upload that flows.
    expect(server.requestTimeout).toBe(0)
  })
})
