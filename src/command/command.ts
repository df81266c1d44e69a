/**
 * The command's tree: which commands and flags there are, and which exit code a run ends with. 0: done; 1: failed at
 * run time; 2: called wrongly. What each command does stands in command/.
 */

import { Command, CommanderError, InvalidArgumentError, Option } from '@commander-js/extra-typings'
import type { Command as UntypedCommand } from 'commander'
import { errorText } from '../base/error-text.ts'
import { LIMITS } from '../base/limits.ts'
import { LOG_LEVELS } from '../config/config.ts'
import { FORWARD_MODES } from '../config/forward.ts'
import { parseDuration } from '../config/units.ts'
import { CommandError } from './command-error.ts'
import { addCompletion } from './completion.ts'
import { printEffectiveConfig, validateConfig } from './config-commands.ts'
import { connect } from './connect.ts'
import { control, drainWorker, kill, reload, resize, type VERBS } from './control.ts'
import { demo } from './demo.ts'
import { exchange } from './exchange.ts'
import { fleet } from './fleet.ts'
import { forward } from './forward.ts'
import { healthcheck } from './healthcheck.ts'
import { connection, LISTINGS, list } from './rows.ts'
import { serve } from './serve.ts'
import { guardOutputs, print, ReaderGone, type Streams } from './streams.ts'
import { plainLines } from './terminal/plain-text.ts'
import { terminalSize } from './terminal/size.ts'
import { top } from './top.ts'

const PROCESS_STREAMS: Streams = process

/** As a shell says it of a program that SIGPIPE ended: the reader of its output has gone. */
const READER_GONE = 141

/**
 * Runs the command with the arguments behind its name and returns its exit code. `serve` returns once it accepts;
 * the process then lives on until a signal.
 */
export async function run(
  args: readonly string[],
  version: string,
  streams: Streams = PROCESS_STREAMS,
): Promise<number> {
  guardOutputs(streams)
  try {
    const program = buildProgram(version, streams)
    refuseUnknown(program, args)
    await program.parseAsync(args, { from: 'user' })
    return 0
  } catch (error) {
    // Commander has printed its own message; it ends help and version by an error too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    if (error instanceof ReaderGone) return READER_GONE
    // Where stderr's reader has gone too, the exit code has to do.
    await print(streams.stderr, `${plainLines(errorText(error))}\n`).catch(() => {})
    return error instanceof CommandError ? error.exitCode : 1
  }
}

/** `--help` behind an unknown command would show the help of the whole, and hide that there is none. */
function refuseUnknown(program: Command, args: readonly string[]): void {
  let command = program as unknown as UntypedCommand
  for (const word of args) {
    if (word.startsWith('-') || command.commands.length === 0) return
    const inner = command.commands.find(one => one.name() === word)
    if (inner === undefined && word !== 'help' && args.some(arg => arg === '--help' || arg === '-h'))
      command.error(`error: unknown command '${word}'`, { code: 'commander.unknownCommand', exitCode: 2 })
    if (inner === undefined) return
    command = inner
  }
}

function buildProgram(version: string, streams: Streams): Command {
  const program = new Command('sockpool')
    .description('A connection pooler for any TCP or TLS protocol, driven over HTTP.')
    .version(version)
    .exitOverride()
    .configureOutput({
      writeOut: text => streams.stdout.write(text),
      writeErr: text => streams.stderr.write(text),
      getOutHelpWidth: () => terminalSize(streams.stdout)?.columns ?? LIMITS.terminalColumns,
      getErrHelpWidth: () => terminalSize(streams.stderr)?.columns ?? LIMITS.terminalColumns,
    })
    .showHelpAfterError('Run "sockpool help" to see the commands, "sockpool help COMMAND" for one.')
  addServe(program, streams)
  addConfig(program, streams)
  addExchange(program, streams)
  addForward(program, streams)
  addListings(program, streams)
  addControl(program, streams)
  program
    .command('healthcheck')
    .description('exit 0 when a service is ready, 1 when it is not')
    .option('--url <url>', "the service's address; default: the one this environment configures")
    .addOption(caOption())
    .addOption(certOption())
    .addOption(keyOption())
    .action(options => healthcheck(options, streams))
  program
    .command('demo')
    .description('play a scripted round against a service of its own')
    .action(() => demo(streams))
  addCompletion(program as unknown as UntypedCommand, streams)
  return program
}

function addServe(program: Command, streams: Streams): void {
  program
    .command('serve')
    .description('run the service until SIGTERM or SIGINT, then drain it')
    .option('-c, --config <file>', 'the config file, YAML or JSON')
    .option('--listen <address>', 'HOST:PORT, unix:PATH or fd:N; port 0 takes any (default: 127.0.0.1:7070)')
    .option('--io-workers <n>', 'threads that own the connections')
    .option('--parse-workers <n>', 'threads that parse')
    .option(
      '--allow <rule>',
      "what may be dialled, HOST[:PORTS]; repeatable, replaces the file's egress.allow",
      (rule: string, before: string[] | undefined) => [...(before ?? []), rule],
    )
    .option('--token-file <file>', 'bearer tokens, one NAME TOKEN per line, mode 0600')
    .option('--no-auth', 'ask for no token; on loopback and unix-socket listeners only')
    .addOption(new Option('--log-level <level>', 'what is logged').choices(LOG_LEVELS))
    .option('--demo', 'add the targets demo and demo-tls, an embedded upstream that echoes')
    .action(async ({ config, demo: withDemo, auth, ...given }, command) => {
      if (!auth && given.tokenFile !== undefined)
        command.error('error: --no-auth and --token-file exclude each other; give one of them')
      const flags = { ...given, noAuth: !auth }
      await serve({ config, demo: withDemo ?? false, flags }, streams)
    })
}

function addConfig(program: Command, streams: Streams): void {
  const config = program.command('config').description('look at a configuration without running it')
  config
    .command('validate')
    .description('exit 0, or exit 2 with every error of the file')
    .argument('<file>', 'the config file')
    .action(file => validateConfig(file, streams))
  config
    .command('print')
    .description('show the effective configuration as YAML, secrets masked')
    .argument('[file]', 'the config file; default: none, only the environment and the defaults')
    .action(file => printEffectiveConfig(file, streams))
}

function addExchange(program: Command, streams: Streams): void {
  program
    .command('exchange')
    .description('write stdin to a target and print its reply')
    .argument('<target>', 'HOST:PORT, or the name of a target with --config or --url')
    .option('--read <spec>', 'line, until:SEP, exactly:N, eof, none, frame, frame:NAME or frames:N', 'line')
    .option('--url <url>', 'use the service at this address; default: dial directly')
    .option('--token <token>', "the service's token; default: SOCKPOOL_TOKEN")
    .addOption(caOption())
    .addOption(certOption())
    .addOption(keyOption())
    .option('-c, --config <file>', 'the config file that names the target, when dialling directly')
    .action((target, options) => exchange(target, options, streams))
}

function addForward(program: Command, streams: Streams): void {
  program
    .command('forward')
    .description('listen on a local port, each of whose connections is one lease of a target')
    .requiredOption('--listen <address>', 'HOST:PORT or unix:PATH; port 0 takes any')
    .requiredOption('--target <name>', "a target's name, or HOST:PORT")
    .option('-c, --config <file>', 'the config file that names the target, for a pool of its own')
    .option('--url <url>', 'lease of the service at this address instead; default: SOCKPOOL_URL')
    .option('--token <token>', "the service's token; default: SOCKPOOL_TOKEN")
    .addOption(caOption())
    .addOption(certOption())
    .addOption(keyOption())
    .addOption(
      new Option('--mode <mode>', 'what a client is lent, and for how long')
        .choices(FORWARD_MODES)
        .default('session' as const),
    )
    .action(options => forward(options, streams))
  withUrl(program.command('connect'))
    .description('make stdin and stdout one leased connection of a running service')
    .argument('<target>', "a target's name, or HOST:PORT")
    .action((target, options) => connect(target, options, streams))
}

function addListings(program: Command, streams: Streams): void {
  for (const listing of LISTINGS)
    withService(program.command(listing))
      .description(`show the ${listing} of a running service`)
      .argument('[name]', 'only rows of this name, target or id')
      .action((name, options) => list(listing, name, options, streams))
  withService(program.command('connection'))
    .description('show a connection, and what was done with it last')
    .argument('<id>', "the connection's id")
    .action((id, options) => connection(id, options, streams))
  withService(program.command('fleet'))
    .description('show the instances of a fleet, and who holds how much of its caps')
    .action(options => fleet(options, streams))
  withUrl(program.command('top'))
    .description('watch a running service: targets, waiters, workers; on a pipe one frame')
    .addOption(
      new Option('--interval <time>', 'between two looks, as 500ms or 2s')
        .argParser(intervalOf)
        .default(1_000, '1s'),
    )
    .action(options => top(options, streams))
}

function addControl(program: Command, streams: Streams): void {
  const verbOf = (verb: (typeof VERBS)[number]) =>
    withService(program.command(verb))
      .description(`${verb} a target of a running service`)
      .argument('<target>', "the target's name")
  const timeout = () =>
    new Option('--timeout <time>', 'to wait until it is done, as 500ms or 2m; default: 30s').argParser(
      durationOf,
    )
  for (const verb of ['resume', 'reconnect', 'disable', 'enable'] as const)
    verbOf(verb).action((target, options) => control(verb, target, options, streams))
  for (const verb of ['drain', 'wait-close'] as const)
    verbOf(verb)
      .addOption(timeout())
      .action((target, options) => control(verb, target, options, streams))
  verbOf('pause')
    .option('--wait', 'until the last lease is back')
    .addOption(timeout())
    .action((target, options) => control('pause', target, options, streams))
  withService(program.command('resize'))
    .description("change the bounds of a target's pool")
    .argument('<target>', "the target's name")
    .addOption(new Option('--min <n>', 'connections kept warm').argParser(wholeNumber))
    .addOption(new Option('--max <n>', 'connections at the most').argParser(wholeNumber))
    .action((target, options) => resize(target, options, streams))
  withService(program.command('kill'))
    .description('end a connection, or a lease, at once')
    .argument('<id>', "the connection's id, or the lease's")
    .action((id, options) => kill(id, options, streams))
  withService(program.command('drain-worker'))
    .description('replace an I/O worker of a running service, and wait for its end')
    .argument('<id>', "the worker's id, as in workers", wholeNumber)
    .addOption(timeout())
    .action((id, options) => drainWorker(id, options, streams))
  withService(program.command('reload'))
    .description('have a running service read its configuration anew')
    .action(options => reload(options, streams))
}

/** The flags of a command that speaks to a running service. */
function withUrl(command: Command) {
  return command
    .option(
      '--url <url>',
      "the service's address; default: SOCKPOOL_URL, or the one this environment configures",
    )
    .option('--token <token>', "the service's token; default: SOCKPOOL_TOKEN")
    .addOption(caOption())
    .addOption(certOption())
    .addOption(keyOption())
}

/** And of one that prints what it answers. */
function withService(command: Command) {
  return withUrl(command).addOption(
    new Option('-o, --output <form>', 'how it is printed').choices(FORMS).default('table' as const),
  )
}

const FORMS = ['table', 'json'] as const

/** Milliseconds. */
function durationOf(text: string): number {
  const milliseconds = parseDuration(text)
  if (milliseconds !== null) return milliseconds
  throw new InvalidArgumentError('It must be a time, as 500ms, 30s or 5m.')
}

function intervalOf(text: string): number {
  const { topIntervalMinMs: least, topIntervalMaxMs: most } = LIMITS
  const milliseconds = parseDuration(text)
  if (milliseconds !== null && milliseconds >= least && milliseconds <= most) return milliseconds
  throw new InvalidArgumentError(`It must be a time from ${least}ms to ${most / 60_000}m, as 1s.`)
}

function wholeNumber(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number.')
}

const caOption = () =>
  new Option('--ca <file>', "whom to trust over https, a PEM file; default: the platform's authorities")
const certOption = () => new Option('--cert <file>', 'the client certificate to show over https, a PEM file')
const keyOption = () => new Option('--key <file>', 'the key of --cert, a PEM file')
