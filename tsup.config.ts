import { defineConfig } from 'tsup'

// Every thread's entry is an entry of its own, and all lie flat in dist/, so that one thread finds the
// next as a sibling of its own file. Piscina resolves a worker file of its own and stays external.
export default defineConfig({
  entry: ['src/index.ts', 'src/cli.ts', 'workers/io-worker.ts', 'workers/parse-worker.ts', 'workers/demo-worker.ts'],
  format: ['esm'],
  target: 'node22',
  dts: { entry: ['src/index.ts'] },
  splitting: true,
  sourcemap: true,
  clean: true,
})
