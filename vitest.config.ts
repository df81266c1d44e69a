import { join } from 'node:path'
import type { ViteUserConfig } from 'vitest/config'

// Every thread and process of a test starts from TypeScript; with its compiled form kept they start in half the time.
const { NODE_COMPILE_CACHE = join(import.meta.dirname, 'node_modules/.cache/compile') } = process.env
Object.assign(process.env, { NODE_COMPILE_CACHE })

// Threads and servers under test belong to a process of their own, so that a leak shows in its own file.
const project = (name: string, include: string[], testTimeout: number, more: object = {}): object => ({
  test: { name, include, testTimeout, hookTimeout: testTimeout, pool: 'forks', ...more },
})

/** What is served by the main thread alone, however many serve HTTP: calls, streams, tunnels, their order and their ends. */
const RELAYED = ['descriptors', 'draining-answers', 'leases', 'pipelining', 'stream-endings', 'tunnels']

const config: ViteUserConfig = {
  test: {
    // Most tests wait for sockets and threads rather than compute, so three at a time fit on two cores.
    maxWorkers: 3,
    projects: [
      // Its threads and servers are few and in memory: see the file that is read before each.
      project('unit', ['test/*.test.ts', 'test/unit/**/*.test.ts'], 10_000, {
        isolate: false,
        setupFiles: ['test/support/fresh-file.ts'],
      }),
      project('property', ['test/property/**/*.test.ts'], 60_000),
      project('conformance', ['test/conformance/**/*.test.ts'], 60_000),
      project('threads', ['test/threads/**/*.test.ts'], 60_000),
      project('interop', ['test/interop/**/*.test.ts'], 60_000),
      project('e2e', ['test/e2e/**/*.test.ts'], 120_000),
      project('package', ['test/package/**/*.test.ts'], 120_000, {
        globalSetup: ['test/support/packed-package.ts'],
      }),
      // All of e2e holds with two threads too (`SOCKPOOL_HTTP_THREADS=2 npx vitest run --project e2e`); these do each time.
      project('e2e-threads', [`test/e2e/{${RELAYED}}.test.ts`], 120_000, {
        env: { SOCKPOOL_HTTP_THREADS: '2' },
      }),
    ],
  },
}

export default config
