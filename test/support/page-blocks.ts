/**
 * The blocks of code in a page, and what is played of them.
 *
 *   ts       a program, or a part of one: a `text` block after it is what it prints. One that begins with the name of a
 *            file, as in `// sum.ts`, is that file, beside the program that follows.
 *   console  a shell session: lines behind `$ ` are typed, and those behind one that ends in a backslash; the others are
 *            what is printed.
 *   sh       commands that are not played, but must exist.
 *   yaml     a config file.
 */

export type Block = { readonly language: string; readonly text: string; readonly line: number }

/** A program with its files; `program.ts` is started. */
export type PageProgram = {
  readonly files: Readonly<Record<string, string>>
  readonly prints: string
  readonly line: number
}

export type Typed = { readonly command: string; readonly prints: string }

export function blocksOf(page: string): readonly Block[] {
  return [...page.matchAll(/^```([\w-]*)\n([\s\S]*?)^```$/gm)].map(
    ({ 1: language = '', 2: text = '', index }) => ({
      language,
      text,
      line: page.slice(0, index).split('\n').length,
    }),
  )
}

/** Throws where a block of TypeScript is no part of a program whose output is shown: nothing goes unplayed. */
export function programsOf(blocks: readonly Block[]): readonly PageProgram[] {
  const programs: PageProgram[] = []
  let files: Record<string, string> = {}
  for (const { language, text, line } of blocks) {
    if (language === 'ts') {
      const [, name = 'program.ts'] = /^\/\/ ([\w-]+\.ts)\n/.exec(text) ?? []
      files[name] = `${files[name] ?? ''}${text}`
    } else if (language === 'text') {
      if (files['program.ts'] === undefined) throw new Error(`line ${line}: what prints this?`)
      programs.push({ files, prints: text, line })
      files = {}
    }
  }
  if (Object.keys(files).length > 0) throw new Error(`no text block says what ${Object.values(files)} prints`)
  return programs
}

/** The session of a console block. Throws where something is printed before anything was typed. */
export function sessionOf({ text, line }: Block): readonly Typed[] {
  const [before = '', ...typed] = `\n${text}`.split('\n$ ')
  if (before.trim() !== '') throw new Error(`line ${line}: a session begins with a command`)
  return typed.map(part => {
    const lines = part.split('\n')
    const ends = lines.findIndex(each => !each.endsWith('\\')) + 1
    return { command: lines.slice(0, ends).join('\n'), prints: lines.slice(ends).join('\n') }
  })
}
