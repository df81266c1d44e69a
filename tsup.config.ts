import type { Options } from 'tsup'

// Every thread's entry is an entry of its own, and all lie flat in dist/, so that one thread finds the next as a
// sibling of its own file. Piscina resolves a worker file of its own and stays external.
const options: Options = {
  entry: {
    index: 'src/library/index.ts',
    cli: 'src/cli.ts',
    'io-worker': 'workers/io-worker.ts',
    'parse-worker': 'workers/parse-worker.ts',
    'demo-worker': 'workers/demo-worker.ts',
  },
  format: ['esm'],
  target: 'node22',
  dts: { entry: { index: 'src/library/index.ts' } },
  splitting: true,
  sourcemap: true,
  clean: true,
}

export default options
