/** The table of all metrics of sockpool's own, as docs/metrics.md has it. */
import { FAMILIES } from '../../src/metrics/families.ts'

export function metricsTable(): string {
  const lines = Object.values(FAMILIES).map(({ name, type, labels, help }) => {
    const shown = labels.map(label => `\`${label}\``).join(', ')
    return `| \`${name}\` | ${type} | ${shown} | ${help.replace(/\.$/, '')} |`
  })
  return ['| metric | type | labels | what it says |', '|---|---|---|---|', ...lines].join('\n')
}
