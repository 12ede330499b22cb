import { dirname, join } from 'node:path'
import { canonicalJson, sha256 } from '@caretaker/kernel/json.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Programs } from '../lifecycle/appliance.ts'
import { PLACES } from './places.ts'

/** A built program on this machine, and where it lies once it is installed. Absolute paths. */
export interface Build {
  /** Version and content: two builds of one version are two. */
  readonly id: string
  /** The bundle. */
  readonly bundle: string
  /** Node, pnpm and Postgres. */
  readonly programs: string
  readonly installed: string
  readonly installedPrograms: string
}

/** The build that runs this very process; it may be the installed one. */
export async function thisBuild(files: Files, programs: Programs): Promise<Build> {
  const bundle = dirname(programs.main)
  const hashes: Record<string, string> = {}
  for (const { name, kind } of (await files.list(bundle)) ?? []) {
    if (kind === 'file') hashes[name] = sha256(await files.read(join(bundle, name)))
  }
  const id = `${programs.version}-${sha256(canonicalJson(hashes)).slice(0, 8)}`
  // Written by the build: what it brings, by version.
  const versions = (await files.readText(join(programs.folder, 'versions.json'))) ?? programs.version
  return {
    id,
    bundle,
    programs: programs.folder,
    installed: join(PLACES.home, id),
    installedPrograms: join(PLACES.programs, sha256(versions).slice(0, 8)),
  }
}
