import { join } from 'node:path'
import type { Files } from '@caretaker/ports/files.ts'
import { auditPath } from '@caretaker/steps/audit.ts'
import { readJournal } from '@caretaker/steps/journal.ts'
import { asFound, type Found, type Scene } from './finding.ts'

/** The histories of jobs and the audit log: what is not whole in them is left out by who reads them. */
export async function appendedLines({ appliance: { ports, stateFolder } }: Scene): Promise<readonly Found[]> {
  const jobs = join(stateFolder, 'jobs')
  const histories = ((await ports.files.list(jobs)) ?? []).filter(({ name }) => name.endsWith('.jsonl'))
  const paths = [...histories.map(({ name }) => join(jobs, name)), auditPath(stateFolder)]
  return (await Promise.all(paths.map((path) => damagedLines(ports.files, path)))).flat()
}

async function damagedLines(files: Pick<Files, 'readText'>, path: string): Promise<readonly Found[]> {
  try {
    // What follows the last end of a line was torn by a crash.
    const lines = ((await files.readText(path)) ?? '').split('\n').slice(0, -1)
    const first = lines.findIndex((line) => !isObject(line))
    if (first === -1) return []
    const what = `line ${first + 1} of ${path} is damaged; what it told is not shown`
    return [{ result: 'notice', code: 'STATE_DAMAGED', what, next: aside(path) }]
  } catch (error) {
    return [asFound(error)]
  }
}

function isObject(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null
  } catch {
    return false
  }
}

/** Journals that tell nothing at all: of their operations nothing had begun, or they were lost in a power cut. */
export async function emptyJournals({ appliance: { ports, stateFolder } }: Scene): Promise<readonly Found[]> {
  const folder = join(stateFolder, 'operations')
  const names = ((await ports.files.list(folder)) ?? []).filter(({ name }) => name.endsWith('.jsonl'))
  const found = names.map(async ({ name }): Promise<readonly Found[]> => {
    const path = join(folder, name)
    // One that cannot be read is found among the operations.
    const content = await readJournal(ports.files, path).catch(() => undefined)
    if (!content || content.records.length > 0) return []
    const what = `${path} tells nothing: its operation had not begun, or the journal was lost in a power cut`
    return [{ result: 'notice', code: 'JOURNAL_DAMAGED', what, next: aside(path) }]
  })
  return (await Promise.all(found)).flat()
}

const aside = (path: string) => `Look at the disk ("dmesg"), then set it aside: mv ${path} ${path}.damaged`
