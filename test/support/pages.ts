/** The pages for users: the README and those of docs/, and the sections in them that are made from the sources. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..', '..')

/** What the README has at the most: it is read whole, the rest is looked up. */
export const README_LINES_MAX = 180

/** The paths of all pages but the recipes, from the checkout's top. */
export function pagePaths(): readonly string[] {
  const docs = readdirSync(join(ROOT, 'docs')).filter(name => name.endsWith('.md'))
  const own = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']
  return [...own, ...docs.toSorted().map(name => `docs/${name}`), 'docs/recipes/README.md']
}

/** The paths of the recipes, which docs/recipes/README.md leads to. */
export function recipePaths(): readonly string[] {
  const names = readdirSync(join(ROOT, 'docs', 'recipes')).filter(name => name !== 'README.md')
  return names.toSorted().map(name => `docs/recipes/${name}`)
}

export function readPage(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** What stands between `<!-- name -->` and `<!-- /name -->`; null where they are not there. */
export function sectionOf(page: string, name: string): string | null {
  const place = placeOf(page, name)
  return place === null ? null : page.slice(place.start, place.end).trim()
}

/** The page with another text between the comments; without the comments it stays as it is. */
export function withSection(page: string, name: string, text: string): string {
  const place = placeOf(page, name)
  return place === null ? page : `${page.slice(0, place.start)}\n${text}\n\n${page.slice(place.end)}`
}

function placeOf(page: string, name: string): { start: number; end: number } | null {
  const begin = `<!-- ${name} -->\n`
  const start = page.indexOf(begin)
  const end = page.indexOf(`<!-- /${name} -->`)
  return start < 0 || end < start ? null : { start: start + begin.length, end }
}
