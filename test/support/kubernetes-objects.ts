/**
 * Objects of Kubernetes as files of YAML have them, and what is wrong in them by Kubernetes' own schemas: values by the
 * validators that are made of those, and keys that are in no schema by the types that are made of them, as an API server
 * would say in strict mode.
 */
import { join } from 'node:path'
import ts from 'typescript'
import { parseAllDocuments } from 'yaml'
import { ROOT } from './service-process.ts'

export type KubernetesObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly [key: string]: unknown
}

type Model = new (value: object) => { validate(): void }

/** Throws where the text is no YAML, or holds something that is no object of Kubernetes. */
export function objectsOf(text: string): readonly KubernetesObject[] {
  return parseAllDocuments(text).flatMap(document => {
    const [fault] = [...document.errors, ...document.warnings]
    if (fault) throw fault
    const object: unknown = document.toJS()
    // What stands between two lines of dashes may be comments alone.
    if (object === null) return []
    if (!isObject(object)) throw new Error(`this is no object of Kubernetes: ${JSON.stringify(object)}`)
    return [object]
  })
}

/** The faults of all of them, each behind the object's name. */
export async function faultsOf(objects: readonly KubernetesObject[]): Promise<readonly string[]> {
  const faults: string[] = []
  for (const object of objects) {
    const own = await valueFault(object)
    if (own !== null) faults.push(`${nameOf(object)}: ${own}`)
  }
  return [...faults, ...keyFaults(objects)]
}

function isObject(value: unknown): value is KubernetesObject {
  return typeof value === 'object' && value !== null && 'apiVersion' in value && 'kind' in value
}

function nameOf({ kind, metadata }: KubernetesObject): string {
  return `${kind} ${metadata.name}`
}

/** `apps/v1` is where the models of that version are. */
function moduleOf({ apiVersion }: KubernetesObject): string {
  return `kubernetes-models/${apiVersion}`
}

async function valueFault(object: KubernetesObject): Promise<string | null> {
  const models: Readonly<Record<string, Model | undefined>> = await import(moduleOf(object))
  const OwnModel = models[object.kind]
  if (OwnModel === undefined) return `${object.apiVersion} has no such kind`
  try {
    new OwnModel(object).validate()
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** The compiler refuses keys of a literal that its type has not, at any depth. */
function keyFaults(objects: readonly KubernetesObject[]): readonly string[] {
  const text = objects.map(
    object =>
      `;(${JSON.stringify(object)}) satisfies import(${JSON.stringify(moduleOf(object))}).I${object.kind}`,
  )
  const file = join(ROOT, 'test', 'kubernetes-objects.virtual.ts')
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    lib: ['lib.es2024.d.ts'],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
  }
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists } = host
  host.fileExists = name => name === file || fileExists.call(host, name)
  host.getSourceFile = (name, ...rest) =>
    name === file
      ? ts.createSourceFile(name, text.join('\n'), ts.ScriptTarget.ES2024)
      : getSourceFile.call(host, name, ...rest)
  const program = ts.createProgram([file], options, host)
  const source = program.getSourceFile(file)
  return program.getSemanticDiagnostics(source).map(({ start = 0, messageText }) => {
    const index = source?.getLineAndCharacterOfPosition(start).line ?? 0
    const object = objects[index]
    return `${object && nameOf(object)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`
  })
}
