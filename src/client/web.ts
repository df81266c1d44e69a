/** `sockpool/client` for browsers, Deno, Bun and bundles. */

export { connectPool } from './connect-pool-web.ts'
export * from './exports.ts'
