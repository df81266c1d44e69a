/** `sockpool/client` for Node. */
export { connectPool } from './connect-pool.ts'
export * from './exports.ts'
