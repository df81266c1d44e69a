/** The programs of a page in languages other than the project's own, with what each prints. */
import type { Block } from './page-blocks.ts'

const LANGUAGES = ['python', 'shell', 'go'] as const

export type ForeignLanguage = (typeof LANGUAGES)[number]

export type ForeignProgram = {
  readonly language: ForeignLanguage
  readonly text: string
  readonly prints: string
  readonly line: number
}

/** Throws where what one prints is not shown right behind it: nothing goes unplayed. */
export function foreignProgramsOf(blocks: readonly Block[]): readonly ForeignProgram[] {
  return blocks.flatMap(({ language, text, line }, index) => {
    if (!isForeign(language)) return []
    const next = blocks[index + 1]
    if (next?.language !== 'text') throw new Error(`line ${line}: what does this print?`)
    return [{ language, text, prints: next.text, line }]
  })
}

/** The blocks without those programs and their output. */
export function ownBlocksOf(blocks: readonly Block[]): readonly Block[] {
  return blocks.filter(
    ({ language }, index) =>
      !isForeign(language) && !(language === 'text' && isForeign(blocks[index - 1]?.language ?? '')),
  )
}

function isForeign(language: string): language is ForeignLanguage {
  return LANGUAGES.some(each => each === language)
}
