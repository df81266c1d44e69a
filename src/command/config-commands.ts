/** `config validate` and `config print`, and how every command loads a configuration. */
import { errorText } from '../base/error-text.ts'
import type { Config } from '../config/config.ts'
import { ConfigError, describeFault } from '../config/config-error.ts'
import { type ConfigSources, type LoadedConfig, loadEffective } from '../config/load.ts'
import { printConfig } from '../config/print.ts'
import { parseHost } from '../egress/host.ts'
import { parseRule } from '../egress/rule.ts'
import { otlpFault } from '../tracing/otlp.ts'
import { noSpans } from '../tracing/service-traces.ts'
import { CommandError } from './command-error.ts'
import { print, type Streams } from './streams.ts'

/**
 * The configuration, its egress rules checked too.
 *
 * Errors: CommandError with exit code 2 and one line for each fault.
 */
export function loadForCommand(sources: ConfigSources): Config {
  return effectiveForCommand(sources).config
}

/**
 * `config validate FILE`: the file alone, without what the environment would change in it. What the service would serve
 * without is said on stderr, and is no error.
 */
export async function validateConfig(file: string, { stdout, stderr }: Streams): Promise<void> {
  const { telemetry } = effectiveForCommand({ file, overrides: false }).config
  const fault = telemetry.traces === 'otlp' ? await otlpFault() : null
  if (fault !== null)
    await print(stderr, `${file}: telemetry.traces: no spans would be sent: ${noSpans(fault)}\n`)
  await print(stdout, `${file}: valid\n`)
}

/** `config print [FILE]`: the file, the environment and the defaults together, as YAML with secrets masked. */
export async function printEffectiveConfig(file: string | undefined, { stdout }: Streams): Promise<void> {
  await print(stdout, printConfig(effectiveForCommand(file === undefined ? {} : { file })))
}

/** As `loadForCommand`. Errors: ConfigError. */
export function rereadConfig(sources: ConfigSources): Config {
  return loadEffective({ ...sources, checkRule, checkHost }).config
}

function effectiveForCommand(sources: ConfigSources): LoadedConfig {
  try {
    return loadEffective({ ...sources, checkRule, checkHost })
  } catch (error) {
    if (error instanceof ConfigError)
      throw new CommandError(2, error.errors.map(describeFault).join('\n'), { cause: error })
    throw error
  }
}

function checkRule(rule: string): string | null {
  return faultOf(() => parseRule(rule))
}

function checkHost(host: string): string | null {
  return faultOf(() => parseHost(host))
}

function faultOf(parse: () => unknown): string | null {
  try {
    parse()
    return null
  } catch (error) {
    return errorText(error)
  }
}
