import { join } from 'node:path'

/** Where an application comes from, as a person wrote it, taken apart by `parseSource`. */
export type Source =
  | { readonly kind: 'folder'; readonly path: string }
  | { readonly kind: 'archive'; readonly path: string }
  | {
      readonly kind: 'git'
      readonly url: string
      /** Branch, tag or commit; undefined is what HEAD of the remote names. */
      readonly ref: string | undefined
      /** Folder inside the repository that holds the compose file; undefined is its root. */
      readonly folder: string | undefined
    }

/** A source and exactly what of it: the commit, or the hash over its contents. Plain JSON. */
export interface PinnedSource {
  readonly source: Source
  /** `git:<40 hex>` or `sha256:<64 hex>`. */
  readonly pin: string
}

/** A pinned source that lies on this machine and has been looked at. */
export interface FetchedSource extends PinnedSource {
  /** Absolute path of the folder with the compose file. Not ours to change when the source is a folder. */
  readonly folder: string
  /** Name of the compose file in that folder. */
  readonly composeFile: string
  readonly composeText: string
}

/** `release.json` of a prepared release. */
export interface Release {
  readonly format: 1
  readonly app: string
  readonly version: string
  /** `<version>-<first 12 hex of the pin>`; also the name of its folder. */
  readonly releaseId: string
  readonly source: Source
  readonly pin: string
  readonly composeFile: string
  /** SHA-256 of the compose file, in hex. */
  readonly composeHash: string
  /** Build context → SHA-256 of its lock file, for those whose dependencies were installed. */
  readonly lockHashes: Readonly<Record<string, string>>
  /** For which runtime it was prepared; default: `process`. */
  readonly runtime?: 'docker'
  /** ISO 8601, UTC. */
  readonly builtAt: string
  /** Version of caretaker that built it. */
  readonly builtBy: string
}

/** Folder of all prepared releases of an application. */
export function releasesFolder(stateFolder: string, app: string): string {
  return join(stateFolder, 'releases', app)
}

export function releaseFolder(stateFolder: string, app: string, releaseId: string): string {
  return join(releasesFolder(stateFolder, app), releaseId)
}

/** Folder with the source of a prepared release: compose file and build contexts. */
export function releaseSourceFolder(
  stateFolder: string,
  release: Pick<Release, 'app' | 'releaseId'>,
): string {
  return join(releaseFolder(stateFolder, release.app, release.releaseId), 'source')
}

/** The id of the release that `version` and `pin` make. */
export function releaseIdOf(version: string, pin: string): string {
  return `${version}-${pin.slice(pin.indexOf(':') + 1).slice(0, 12)}`
}
