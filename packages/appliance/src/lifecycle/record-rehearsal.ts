import { join } from 'node:path'
import { type EmitEvent, fanOut, type OperationEvent } from '@caretaker/steps/events.ts'
import { showOperation } from '@caretaker/steps/operations.ts'
import type { OperationResult } from '@caretaker/steps/runner.ts'
import { readAppRecord } from './app-records.ts'
import { loadRelease } from './app-release.ts'
import type { Appliance } from './appliance.ts'
import { judgeRehearsal } from './judge-rehearsal.ts'
import { appendRehearsal, type Rehearsal, readRehearsals, rehearsalLogs, settingsOf } from './rehearsals.ts'
import { instantName } from './release-history.ts'
import type { UpdateTarget } from './update-target.ts'

/** Lines of one rehearsal that are kept of what its steps and commands said; of more, the last ones. */
const MOST_LINES = 5000

/** What an operation says while it runs. */
export interface Said {
  readonly emit: EmitEvent
  readonly lines: readonly string[]
}

/** Passes events on and remembers them as lines. */
export function saying(emit: EmitEvent): Said {
  const lines: string[] = []
  const listen = (event: OperationEvent) => {
    const line = lineOf(event)
    if (line === undefined) return
    lines.push(line)
    if (lines.length > MOST_LINES) lines.shift()
  }
  return { emit: fanOut(emit, listen), lines }
}

function lineOf(event: OperationEvent): string | undefined {
  if (event.type === 'step-started') return `${event.step}: ${event.summary}`
  if (event.type === 'step-progress') return `${event.step}: ${event.message}`
  if (event.type === 'step-applied') return `${event.step}: done in ${event.duration_ms} ms`
  if (event.type === 'step-failed') return `${event.step}: failed. ${event.error.what}: ${event.error.why}`
  return undefined
}

/** A name for a rehearsal that begins now; the newer ones sort after the older ones. */
export async function rehearsalId({ ports, stateFolder }: Appliance, app: string): Promise<string> {
  const id = instantName(ports.clock.now())
  const known = await readRehearsals(ports.files, stateFolder, app)
  return known.some((entry) => entry.id === id) ? `${id}-${known.length}` : id
}

interface Ended {
  readonly id: string
  readonly isolated: boolean
  readonly watchMs: number
  readonly migrates: boolean | null
  readonly result: OperationResult
  readonly said: Said
}

/** Writes down the verdict of an operation that rehearsed, with its log; gives it, or undefined when it came to none. */
export async function recordRehearsal(
  appliance: Appliance,
  app: string,
  target: UpdateTarget,
  { id, isolated, watchMs, migrates, result, said }: Ended,
): Promise<Rehearsal | undefined> {
  const { ports, stateFolder, folders, actor } = appliance
  const folder = rehearsalLogs(stateFolder, app, id)
  const shown = await showOperation(ports.files, stateFolder, result.operation)
  const judgement = shown && judgeRehearsal(shown.records)
  const { releaseId: from } = await readAppRecord(ports.files, folders.apps, app)
  if (!judgement || from === undefined) {
    await ports.files.remove(folder)
    return undefined
  }
  await ports.files.makeFolder(folder, 0o700)
  await ports.files.write(join(folder, 'steps.txt'), `${said.lines.join('\n')}\n`, 0o600)
  const { application } = await loadRelease(appliance, app, from)
  const rehearsal: Rehearsal = {
    id,
    at: ports.clock.now().toISOString(),
    from,
    to: target.releaseId,
    settings: settingsOf(appliance.config, app),
    from_version: application.version,
    to_version: target.application.version,
    migrates,
    ...judgement,
    watched_ms: watchMs,
    isolated,
    operation: result.operation,
    ...actor,
  }
  await appendRehearsal(appliance, app, rehearsal)
  return rehearsal
}
