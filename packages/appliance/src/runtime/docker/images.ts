import { join } from 'node:path'
import { AppError } from '@caretaker/kernel/errors.ts'
import { HOUR_MS } from '@caretaker/kernel/time.ts'
import { lastLines } from '@caretaker/ports/command.ts'
import type { CommandResult, Processes } from '@caretaker/ports/process.ts'
import { type DockerOptions, dockerCommand, runDocker } from './docker-command.ts'
import type { Engine, ImageFacts } from './engine.ts'

/** An image that is on this machine, named so that it is always the same one. */
export interface PinnedImage {
  /** `NAME@sha256:…`; the bare id for one that no registry has. */
  readonly reference: string
  readonly facts: ImageFacts
}

export interface ImageWork {
  readonly processes: Pick<Processes, 'run'>
  readonly engine: Pick<Engine, 'image'>
  readonly docker: DockerOptions
  /** Application or part that needs the image, for messages. */
  readonly owner: string
  readonly signal?: AbortSignal
  readonly progress?: (message: string) => void
}

/** What an image can be called; anything else would be taken for an option or a path. */
const REFERENCE = /^[a-z0-9][\w.\-/:@]*$/i

/**
 * Fetches an image and pins what its name means now. One that is named by digest and is here is not fetched again; one
 * that no registry gives but that is here counts as it is.
 * @throws AppError IMAGE_NOT_FOUND, REGISTRY_UNREACHABLE, DISK_FULL, IMAGE_PULL_FAILED with the last lines of the engine
 */
export async function pullImage(work: ImageWork, name: string): Promise<PinnedImage> {
  if (!REFERENCE.test(name)) throw pullError(work.owner, name, 'it is no name of an image')
  const present = await work.engine.image(name)
  if (present && (name.includes('@sha256:') || name.startsWith('sha256:'))) return pin(name, present)
  work.progress?.(`Fetch the image ${name}`)
  const result = await runDocker(work.processes, command(work, ['pull', '--', name]), work.signal)
  const pulled = result.exitCode === 0 ? await work.engine.image(name) : undefined
  if (pulled) return pin(name, pulled)
  const said = tail(result)
  if (!present) throw pullError(work.owner, name, said)
  work.progress?.(`The image ${name} could not be fetched (${said}); the one on this machine is taken`)
  return pin(name, present)
}

export interface BuildInput {
  /** Absolute path of the build context. */
  readonly folder: string
  /** Relative to the context. */
  readonly dockerfile: string | undefined
  readonly args: Readonly<Record<string, string>>
  /** Keeps the image from being cleaned up, and names it for people. */
  readonly tag: string
  readonly label: string
}

/** Builds an image. @throws AppError BUILD_FAILED, DISK_FULL with the last lines of the build */
export async function buildImage(work: ImageWork, input: BuildInput): Promise<PinnedImage> {
  work.progress?.(`Build the image ${input.tag}`)
  const words = ['build', '--tag', input.tag, '--label', input.label]
  words.push('--file', join(input.folder, input.dockerfile ?? 'Dockerfile'))
  for (const [name, value] of Object.entries(input.args)) words.push('--build-arg', `${name}=${value}`)
  const result = await runDocker(work.processes, command(work, [...words, input.folder]), work.signal)
  const built = result.exitCode === 0 ? await work.engine.image(input.tag) : undefined
  if (built) return { reference: built.id, facts: built }
  const why = `${result.timedOut ? 'the build of its image did not end in time' : 'its image could not be built'}: ${tail(result)}`
  const what = `The release of ${work.owner} was not built`
  if (NO_SPACE.test(why))
    throw new AppError('DISK_FULL', { what, why, next: `${FREE_SPACE}, then "caretaker up"` })
  const next = 'Correct what it complains about, then "caretaker up"'
  throw new AppError('BUILD_FAILED', { what, why, next })
}

function command({ docker, progress }: ImageWork, words: readonly string[]) {
  return dockerCommand(docker, words, { timeoutMs: HOUR_MS, ...(progress ? { onLine: progress } : {}) })
}

function pin(name: string, facts: ImageFacts): PinnedImage {
  if (name.includes('@sha256:')) return { reference: name, facts }
  const repository = name.replace(/:[^:/]*$/, '')
  const digest = facts.digests.find((entry) => entry.startsWith(`${repository}@`)) ?? facts.digests[0]
  return { reference: digest ?? facts.id, facts }
}

function tail(result: CommandResult): string {
  const said = lastLines(`${result.stdout}\n${result.stderr}`, 8)
  return said === '' ? 'the engine did not say why' : said
}

const NO_SPACE = /no space left on device/i
const FREE_SPACE = 'Make room ("docker system df" shows what uses it)'

/**
 * The engine gives one exit code for all of these; the kinds are told apart by its words so that a person reads what to
 * do. What is not known here is IMAGE_PULL_FAILED.
 */
const PULL_FAILURES = [
  { code: 'DISK_FULL', when: NO_SPACE, next: FREE_SPACE },
  {
    code: 'REGISTRY_UNREACHABLE',
    when: /dial tcp|connection refused|no such host|timeout|network is unreachable|tls|x509|deadline exceeded|server misbehaving|\bEOF\b|server gave http response/i,
    next: 'See that this machine reaches the registry',
  },
  {
    code: 'IMAGE_NOT_FOUND',
    when: /not found|manifest unknown|does not exist|denied|unauthorized|no such image|no basic auth/i,
    next: 'Correct the name of the image, or put it on this machine again ("docker load"); for a private registry, "docker login" as the user of caretaker',
  },
] as const

function pullError(owner: string, name: string, said: string): AppError {
  const kind = PULL_FAILURES.find(({ when }) => when.test(said))
  return new AppError(kind?.code ?? 'IMAGE_PULL_FAILED', {
    what: `The image ${name} of ${owner} was not fetched`,
    why: said,
    next: `${kind?.next ?? 'Correct what it complains about'}, then "caretaker up"`,
  })
}
