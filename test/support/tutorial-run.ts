/** Runs the lines of pages as programs of their own, each behind the names that its page says it has. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import ts from 'typescript'
import { onTestFinished } from 'vitest'
import { ROOT } from './service-process.ts'
import { makeFolder } from './temporary-folder.ts'

const PLAYER = fileURLToPath(new URL('../fixtures/tutorial/play.py', import.meta.url))
/** What a program imports from 'sockpool', and from its entries. */
const ENTRIES = { index: 'src/library/index.ts', client: 'src/client/node.ts' } as const
const TIMEOUT_MS = 20_000

/** What docs/asyncio.md says is there. */
export type Names = {
  readonly host: string
  readonly port: number
  readonly tlsPort: number
  readonly ca: string
}

/** A program that was started; it ends with its test, or is killed after 20 s. */
export type Running = {
  /** The first line that it prints. */
  readonly firstLine: () => Promise<string>
  /** All that it printed, once it has ended well. */
  readonly printed: () => Promise<string>
}

/** Starts lines of Python with the names in snake_case. */
export function startPython(program: string, source: string, names: Names): Running {
  const { tlsPort, ...others } = names
  const child = spawn(program, ['-I', PLAYER], { stdio: 'pipe' })
  child.stdin.end(JSON.stringify({ source, names: { ...others, tls_port: tlsPort } }))
  return attend(child)
}

/** Starts a module that imports 'sockpool', which is the source. */
export function startModule(source: string, names: Names): Promise<Running> {
  return startProgram({ 'program.ts': withNames(source, names) })
}

/** Starts the file `program.ts` among files that import 'sockpool', which is the source, and each other. */
export async function startProgram(files: Readonly<Record<string, string>>): Promise<Running> {
  const folder = await makeProject(files)
  return attend(spawn(process.execPath, [join(folder, 'program.ts')], { stdio: 'pipe' }))
}

/** A folder with the files, in which 'sockpool' is the source. */
export async function makeProject(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await makeFolder()
  const own = join(folder, 'node_modules', 'sockpool')
  await mkdir(own, { recursive: true })
  const exports = { '.': './index.js', './client': './client.js' }
  await writeFile(join(own, 'package.json'), JSON.stringify({ type: 'module', exports }))
  // Node strips no types below node_modules, so what lies there only points at the source.
  for (const [name, source] of Object.entries(ENTRIES)) {
    const { href } = pathToFileURL(join(ROOT, source))
    await writeFile(join(own, `${name}.js`), `export * from ${JSON.stringify(href)}\n`)
  }
  await writeFile(join(folder, 'package.json'), '{"type":"module"}')
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return folder
}

/** What the compiler says of modules that import 'sockpool', the library's types being what they are in the source. */
export function typeFaults(sources: readonly string[], names: Names): Promise<readonly string[]> {
  const files = sources.map((source, index) => [`${index}.ts`, withNames(source, names)] as const)
  return typeFaultsOf([Object.fromEntries(files)])
}

/** The same of whole programs, whose files import each other. */
export async function typeFaultsOf(
  programs: readonly Readonly<Record<string, string>>[],
): Promise<readonly string[]> {
  const files: string[] = []
  for (const program of programs) {
    const folder = await makeProject(program)
    files.push(...Object.keys(program).map(name => join(folder, name)))
  }
  const program = ts.createProgram(files, compilerOptions())
  return files.flatMap(file => {
    const source = program.getSourceFile(file)
    const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
    return found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))
  })
}

function compilerOptions(): ts.CompilerOptions {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    ROOT,
    {
      typeRoots: [join(ROOT, 'node_modules', '@types')],
      paths: { sockpool: [join(ROOT, ENTRIES.index)], 'sockpool/client': [join(ROOT, ENTRIES.client)] },
      // A line of a tour may end in a name that nobody reads.
      noUnusedLocals: false,
      // Prints nothing, so it says nothing of what it exports.
      isolatedDeclarations: false,
      declaration: false,
    },
  )
  return options
}

function withNames(source: string, names: Names): string {
  const given = Object.entries(names).map(
    ([name, value]) => `const ${name}: ${typeof value} = ${JSON.stringify(value)}`,
  )
  const report =
    'const report = (value: unknown) => ' +
    'console.log(JSON.stringify(value instanceof Uint8Array ? value.toString() : value))'
  return `${[...given, report].join('\n')}\n${source}\n`
}

function attend(child: ChildProcessWithoutNullStreams): Running {
  const printed: Buffer[] = []
  const complaints: Buffer[] = []
  child.stdout.on('data', chunk => printed.push(chunk))
  child.stderr.on('data', chunk => complaints.push(chunk))
  const text = (chunks: readonly Buffer[]): string => Buffer.concat(chunks).toString()
  const killer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS)
  const closed = once(child, 'close')
  onTestFinished(async () => {
    clearTimeout(killer)
    child.kill('SIGKILL')
    await closed
  })
  const ended = closed.then(([code, signal]) => {
    if (code !== 0 || complaints.length > 0)
      throw new Error(`it ended with ${code ?? signal}: ${text(printed)}${text(complaints)}`)
    return text(printed)
  })
  ended.catch(() => 'told to who asks what it printed')
  const firstLine = async (): Promise<string> => {
    while (!text(printed).includes('\n')) await Promise.race([once(child.stdout, 'data'), ended])
    return text(printed).split('\n', 1).join()
  }
  return { firstLine, printed: () => ended }
}
