import { dirname, join } from 'node:path'
import { redact } from '@caretaker/kernel/secrets.ts'
import { KIB, MIB } from '@caretaker/kernel/units.ts'
import type { Files } from '@caretaker/ports/files.ts'

/** Most that is kept of what one run says: its beginning, and, of what goes beyond, the end. */
export const MAX_RUN_LOG_BYTES = MIB
const TAIL_BYTES = 64 * KIB

/** Where the logs of all jobs lie, a folder for each. */
export function runLogsFolder(stateFolder: string): string {
  return join(stateFolder, 'logs', 'jobs')
}

export function runLogFolder(stateFolder: string, job: string): string {
  return join(runLogsFolder(stateFolder), job)
}

export function runLogPath(stateFolder: string, job: string, run: string): string {
  return join(runLogFolder(stateFolder, job), `${run}.log`)
}

/** The log of one run. Lines are written as they come; secrets are masked. */
export class RunLog {
  readonly #files: Files
  readonly #path: string
  #writing: Promise<void>
  #isWriting = false
  #pending = ''
  #bytes = 0
  /** Lines beyond the beginning, the newest last. */
  #tail: string[] = []
  #tailBytes = 0
  #isCut = false
  #failure: unknown

  constructor(files: Files, path: string) {
    this.#files = files
    this.#path = path
    this.#writing = files.makeFolder(dirname(path), 0o700).catch((error: unknown) => this.#failed(error))
  }

  readonly line = (text: string): void => {
    const line = `${redact(text)}\n`
    const bytes = Buffer.byteLength(line)
    if (this.#failure !== undefined) return
    if (this.#tail.length === 0 && this.#bytes + bytes <= MAX_RUN_LOG_BYTES - 2 * TAIL_BYTES) {
      this.#bytes += bytes
      this.#write(line)
      return
    }
    this.#tail.push(line)
    this.#tailBytes += bytes
    while (this.#tailBytes > TAIL_BYTES && this.#tail.length > 1) {
      this.#tailBytes -= Buffer.byteLength(this.#tail.shift() ?? '')
      this.#isCut = true
    }
  }

  /** Resolves when everything is written; gives why it could not be. */
  async end(): Promise<unknown> {
    const cut = this.#isCut ? '… what came here was more than is kept …\n' : ''
    if (this.#tail.length > 0) this.#write(cut + lastBytes(this.#tail.join(''), TAIL_BYTES))
    await this.#writing
    return this.#failure
  }

  /** What is said while the file is written goes into it in one piece afterwards. */
  #write(text: string): void {
    this.#pending += text
    if (this.#isWriting) return
    this.#isWriting = true
    this.#writing = this.#writing
      .then(async () => {
        while (this.#pending !== '' && this.#failure === undefined) {
          const piece = this.#pending
          this.#pending = ''
          await this.#files.append(this.#path, piece, 0o600)
        }
      })
      .catch((error: unknown) => this.#failed(error))
      .finally(() => {
        this.#isWriting = false
      })
  }

  /** A log that cannot be written does not end the job. */
  #failed(error: unknown): void {
    this.#failure ??= error
    this.#pending = ''
  }
}

/** A single line may be longer than everything that is kept. */
function lastBytes(text: string, most: number): string {
  const bytes = Buffer.from(text)
  return bytes.length <= most ? text : bytes.subarray(-most).toString()
}

/** Removes the logs of runs that the history does not remember. Gives how many. */
export async function pruneRunLogs(
  files: Files,
  stateFolder: string,
  job: string,
  keptRuns: ReadonlySet<string>,
): Promise<number> {
  const folder = runLogFolder(stateFolder, job)
  const stale = ((await files.list(folder)) ?? []).filter(
    ({ name }) => !keptRuns.has(name.replace(/\.log$/, '')),
  )
  for (const { name } of stale) await files.remove(join(folder, name))
  return stale.length
}
