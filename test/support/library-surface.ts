/** What the library exports, out of its types: the names, and the public members of each. */
import { join } from 'node:path'
import ts from 'typescript'

const ROOT = join(import.meta.dirname, '..', '..')
const INDEX = join(ROOT, 'src', 'library', 'index.ts')

export type Exported = {
  readonly name: string
  readonly kind: 'function' | 'class' | 'type'
  /** What is declared in the project; a symbol of the language as `[Symbol.name]`. */
  readonly members: readonly string[]
}

export function librarySurface(): readonly Exported[] {
  const { options } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile).config,
    ts.sys,
    ROOT,
  )
  const program = ts.createProgram([INDEX], options)
  const checker = program.getTypeChecker()
  const file = program.getSourceFile(INDEX)
  const module = file && checker.getSymbolAtLocation(file)
  if (!module) throw new Error(`${INDEX} exports nothing`)
  return checker.getExportsOfModule(module).map(exported => {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
    const type = checker.getDeclaredTypeOfSymbol(symbol)
    // Of a union what its branches share; a function has no members of its own.
    const members = checker.getPropertiesOfType(type).filter(isOurs).map(memberName)
    return { name: exported.name, kind: kindOf(symbol), members }
  })
}

function kindOf({ flags }: ts.Symbol): Exported['kind'] {
  if (flags & ts.SymbolFlags.Class) return 'class'
  return flags & ts.SymbolFlags.Function ? 'function' : 'type'
}

function isOurs(member: ts.Symbol): boolean {
  const hidden = ts.ModifierFlags.Private | ts.ModifierFlags.Protected
  const declarations = member.declarations ?? []
  return (
    // What Node's streams call is theirs.
    !/^_[a-z]/.test(member.name) &&
    declarations.some(
      declaration =>
        !declaration.getSourceFile().fileName.includes('node_modules') &&
        !(ts.getCombinedModifierFlags(declaration) & hidden) &&
        !isPrivate(declaration),
    )
  )
}

function isPrivate(declaration: ts.Declaration): boolean {
  const name = ts.getNameOfDeclaration(declaration)
  return name !== undefined && ts.isPrivateIdentifier(name)
}

/** A well-known symbol has the name `__@asyncDispose@137`. */
function memberName({ name }: ts.Symbol): string {
  const known = /^__@(\w+)@/.exec(name)?.[1]
  return known === undefined ? name : `[Symbol.${known}]`
}
