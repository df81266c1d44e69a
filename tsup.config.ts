import { copyFile, readFile } from 'node:fs/promises'
import http from 'node:http'
import { builtinModules } from 'node:module'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Options } from 'tsup'

const MODULES = join(import.meta.dirname, 'node_modules')

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

/**
 * Piscina becomes part of the bundle, or no program that uses sockpool could be bundled: Piscina is CommonJS, whose
 * `require` is not there in a bundle of modules, and it starts its threads from a file beside its own. So Node's own
 * modules are asked for without `require`, and a thread starts from the parse worker's file, which begins with what
 * Piscina's file does. Source and tests use Piscina as it is.
 */
const piscinaInside: Plugin = {
  name: 'piscina-inside',
  setup({ onLoad }) {
    onLoad({ filter: /node_modules[\\/]piscina[\\/]dist[\\/].*\.js$/ }, async ({ path }) => ({
      contents: rebuilt(path, await readFile(path, 'utf8')),
    }))
    onLoad({ filter: /workers[\\/]parse-worker\.ts$/ }, async ({ path }) => ({
      contents: `import '../node_modules/piscina/dist/worker.js'\n${await readFile(path, 'utf8')}`,
      loader: 'ts',
    }))
  },
}

/** By the end of the file's path: what must stand in it once, and what takes its place. */
const REPLACED: readonly (readonly [file: RegExp, from: string, to: string])[] = [
  [/dist[\\/]index\.js$/, "(0, node_path_1.resolve)(__dirname, 'worker.js')", 'this.options.filename'],
  [
    /dist[\\/]worker\.js$/,
    `await Promise.resolve(\`\${filename}\`).then(s => __importStar(require(s)))`,
    'await import((0, node_url_1.pathToFileURL)(filename).href)',
  ],
  // As a process of its own the parse worker has no thread to hear from.
  [/dist[\\/]worker\.js$/, "parentPort.on('message'", "parentPort?.on('message'"],
  // The pool changes no thread's priority.
  [/dist[\\/]worker\.js$/, "__importStar(require('@napi-rs/nice'))", 'null'],
]

function rebuilt(path: string, text: string): string {
  const own = REPLACED.filter(([file]) => file.test(path))
  for (const [, from] of own)
    if (text.split(from).length !== 2) throw new Error(`${path} has changed: it should hold ${from} once`)
  return own
    .reduce((changed, [, from, to]) => changed.replace(from, () => to), text)
    .replace(/\brequire\("(node:[\w/]+)"\)/g, 'process.getBuiltinModule("$1")')
}

/**
 * So does `ws`, for the same reason: it is CommonJS, and asks for Node's own modules by their short names. Two helpers that
 * somebody may have installed beside it are left out; it has code of its own for both.
 */
const webSocketInside: Plugin = {
  name: 'web-socket-inside',
  setup({ onLoad }) {
    onLoad({ filter: /node_modules[\\/]ws[\\/]lib[\\/].*\.js$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8'))
        .replace(/\brequire\('([a-z]+)'\)/g, (call, name: string) =>
          builtinModules.includes(name) ? `process.getBuiltinModule('${name}')` : call,
        )
        .replace(
          /\brequire\('(?:bufferutil|utf-8-validate)'\)/g,
          () => "(() => { throw new Error('left out') })()",
        ),
    }))
  },
}

/**
 * `import … from 'node:http'` has Node read every member of that module, and one of them is a whole client for WebSockets and
 * `fetch`: it takes longer to load than all of sockpool. So the bundle takes the members that are there already.
 */
const httpAsItIs: Plugin = {
  name: 'http-as-it-is',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:http$/ }, () => ({
      path: 'node:http',
      namespace: 'as-it-is',
      sideEffects: false,
    }))
    onLoad({ filter: /./, namespace: 'as-it-is' }, () => ({ contents: membersAtHand(http) }))
  },
}

/** A module with those members of a builtin one that nothing is loaded for. */
function membersAtHand(builtin: object): string {
  const names = Object.entries(Object.getOwnPropertyDescriptors(builtin))
    .filter(([, { get }]) => get === undefined)
    .map(([name]) => name)
  return `export const { ${names.join(', ')} } = process.getBuiltinModule('node:http')`
}

/**
 * TypeBox and YAML come in hundreds of files, each of which is looked for and read at every start. Of YAML it is the form for
 * bundles, which needs nothing of Node: warnings are read off the document, so that none is printed.
 */
const yamlInside: Plugin = {
  name: 'yaml-inside',
  setup({ onResolve }) {
    onResolve({ filter: /^yaml$/ }, () => ({ path: join(MODULES, 'yaml', 'browser', 'index.js') }))
  },
}

/** What is part of the bundle, and the file of its licence, which goes along. */
const INSIDE: Readonly<Record<string, string>> = {
  piscina: 'LICENSE',
  ws: 'LICENSE',
  typebox: 'license',
  yaml: 'LICENSE',
}

const WEB = join(import.meta.dirname, 'src', 'client', 'web')

/**
 * `sockpool/client` for browsers, Deno and Bun is a file of its own, in which nothing is imported: the streams are those of
 * every other part, with a stand-in for the little that they use of Node, and for frames, by which the service cuts. So the
 * sources need not know of browsers, and nothing gets slower on Node.
 */
const standIns: Plugin = {
  name: 'stand-ins',
  setup({ onResolve }) {
    onResolve({ filter: /[\\/](socket-duplex|show-as|reader-text|error-text)\.ts$/ }, () => ({
      path: join(WEB, 'node-modules.ts'),
    }))
    onResolve({ filter: /[\\/](judge-frame|message-reads)\.ts$/ }, () => ({
      path: join(WEB, 'no-frames.ts'),
    }))
    onResolve({ filter: /[\\/]resize\.ts$/ }, () => ({ path: join(WEB, 'judged-there.ts') }))
  },
}

/** Writes `client.js` into the folder. */
export async function buildClientForBrowsers(outdir: string): Promise<void> {
  await build({
    absWorkingDir: import.meta.dirname,
    entryPoints: { client: 'src/client/web.ts' },
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: ['es2022'],
    inject: [join(WEB, 'globals.ts')],
    plugins: [standIns],
    sourcemap: true,
    logLevel: 'warning',
  })
}

// Every thread's entry is an entry of its own, and all lie flat in dist/, so that one thread finds the next as a
// sibling of its own file.
const options: Options = {
  entry: {
    index: 'src/library/index.ts',
    'client-node': 'src/client/node.ts',
    cli: 'src/cli.ts',
    'io-worker': 'workers/io-worker.ts',
    'parse-worker': 'workers/parse-worker.ts',
    'demo-worker': 'workers/demo-worker.ts',
    'http-worker': 'workers/http-worker.ts',
  },
  format: ['esm'],
  target: 'node22',
  // Nobody calls a thread's entry: there is nothing to say of one but that it is a module.
  dts: {
    entry: {
      index: 'src/library/index.ts',
      client: 'src/client/node.ts',
      'worker-entry': 'workers/io-worker.ts',
    },
  },
  noExternal: Object.keys(INSIDE),
  esbuildPlugins: [piscinaInside, webSocketInside, httpAsItIs, yamlInside],
  removeNodeProtocol: false,
  splitting: true,
  sourcemap: true,
  clean: true,
  onSuccess: async () => {
    for (const [name, licence] of Object.entries(INSIDE))
      await copyFile(join(MODULES, name, licence), `dist/${name}.LICENSE`)
    await buildClientForBrowsers('dist')
  },
}

export default options
