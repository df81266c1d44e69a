/**
 * The library's script for bash, with a call in place of its `eval`: bash hands it the words as they stand on the line, with
 * redirections and substitutions, and whoever asks for a completion has not asked for any of them to be carried out.
 */

/** What the library writes, and what takes its place. The words have an empty last one already where nothing is typed yet. */
const CHANGES = [
  ['    local requestComp out directive\n', '    local out directive\n'],
  ['    requestComp="sockpool complete -- ${words[@]:1}"\n', '    local -a typed=("${words[@]:1}")\n'],
  [
    `    # Add an empty parameter if the last parameter is complete
    if [[ -z "$cur" ]]; then
        requestComp="$requestComp ''"
    fi
`,
    '',
  ],
  [
    '    out=$(eval "$requestComp" 2>/dev/null)\n',
    '    out=$(sockpool complete -- "${typed[@]}" 2>/dev/null)\n',
  ],
] as const

/** Errors: Error where the script is not the one that is known: it may run what is typed, so it is not given out. */
export function bashScript(script: string): string {
  let changed = script
  for (const [theirs, ours] of CHANGES) {
    if (changed.split(theirs).length !== 2)
      throw new Error(`the completion script has changed: there is no ${JSON.stringify(theirs.trim())}`)
    changed = changed.replace(theirs, () => ours)
  }
  if (/\beval\b/.test(changed)) throw new Error('the completion script has changed: it has another eval')
  return changed
}
