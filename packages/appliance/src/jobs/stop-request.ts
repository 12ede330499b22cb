import { dirname, join } from 'node:path'
import { writeJsonDurably } from '@caretaker/ports/durable.ts'
import type { Files } from '@caretaker/ports/files.ts'
import type { Actor } from '@caretaker/steps/journal-records.ts'

/**
 * That a person wants a run to end. Whoever runs the job looks for it, the daemon or a command without one: a file is
 * what both can reach, and only those may write it who may run the job.
 */
export interface StopRequest extends Actor {
  readonly run: string
}

function requestPath(stateFolder: string, job: string): string {
  return join(stateFolder, 'jobs', `${job}.stop.json`)
}

/** Asks for the end of a run; a request for an earlier run is replaced. */
export async function askToStop(
  files: Files,
  stateFolder: string,
  job: string,
  request: StopRequest,
): Promise<void> {
  const path = requestPath(stateFolder, job)
  await files.makeFolder(dirname(path), 0o700)
  await writeJsonDurably(files, path, request)
}

/** The request for this run; undefined when there is none that can be read. */
export async function findStopRequest(
  files: Pick<Files, 'readText'>,
  stateFolder: string,
  job: string,
  run: string,
): Promise<StopRequest | undefined> {
  try {
    const text = await files.readText(requestPath(stateFolder, job))
    const request = text === undefined ? undefined : (JSON.parse(text) as StopRequest)
    return request?.run === run ? request : undefined
  } catch {
    // It is a wish: a damaged one is none.
    return undefined
  }
}

export async function forgetStopRequest(
  files: Pick<Files, 'remove'>,
  stateFolder: string,
  job: string,
): Promise<void> {
  await files.remove(requestPath(stateFolder, job))
}
