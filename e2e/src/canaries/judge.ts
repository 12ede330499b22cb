import { canariesInFiles, type Finder } from './canaries.ts'
import type { SeenProcess } from './process-watch.ts'

/** Names of the canaries that an application may know. */
export type OwnOf = (app: string) => readonly string[]

export interface Told {
  readonly name: string
  readonly commandLine: string
}

/** Canaries on the command lines of processes, where every user of the machine reads them. */
export function toldOnCommandLines(seen: readonly SeenProcess[], finder: Finder): readonly Told[] {
  return seen.flatMap(({ commandLine }) => finder.in(commandLine).map((name) => ({ name, commandLine })))
}

/** Canaries in the environment of processes other than the services of the application that owns them. */
export function toldInEnvironments(
  seen: readonly SeenProcess[],
  finder: Finder,
  ownOf: OwnOf,
  also: (commandLine: string) => readonly string[],
): readonly string[] {
  return seen.flatMap(({ commandLine, environment }) => {
    const app = ownerOf(environment)
    const may = [...(app === undefined ? [] : ownOf(app)), ...also(commandLine)]
    return finder
      .in(environment)
      .filter((name) => !may.includes(name))
      .map((name) => `${name} in ${commandLine}`)
  })
}

/** The application whose service has this environment. */
export function ownerOf(environment: string): string | undefined {
  return /(?:^|\0)HOME=[^\0]*\/volatile\/([^/\0]+)\/home\0/.exec(environment)?.[1]
}

/** The files in which services of an application found a secret, each once. */
export function secretFilesOf(
  seen: readonly SeenProcess[],
  app: string,
  variable: string,
): readonly string[] {
  const paths = seen
    .filter(({ environment }) => ownerOf(environment) === app)
    .flatMap(({ environment }) => new RegExp(`(?:^|\0)${variable}=([^\0]+)`).exec(environment)?.[1] ?? [])
  return [...new Set(paths)]
}

/** Canaries in files of a state folder where they should not lie. */
export function canariesInState(state: string, finder: Finder, ownOf: OwnOf): Promise<readonly string[]> {
  return canariesInFiles(state, finder, (path) => {
    if (path === 'identity.txt') return ['age_identity']
    // The gateway starts without anybody who could open a seal for it.
    const key = /^certificates\/(.*\.key)$/.exec(path)?.[1]
    if (key) return [key]
    // Postgres keeps a hash of the passwords; its pages are its own.
    if (/^data\/.*\/postgres\//.test(path)) return 'any'
    // The source as its author wrote it.
    if (/^(releases|cache)\//.test(path)) return ['password in a plain URL']
    // What an application writes into its own log is its own doing; what we quote from it is masked.
    const app = /^logs\/([^/]+)\/[^/]+\.log/.exec(path)?.[1]
    return app === undefined || app === 'appliance' ? [] : ownOf(app)
  })
}
