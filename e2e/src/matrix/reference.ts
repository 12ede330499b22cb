import { phaseOf, stepsOf, type TakenStep } from './cases.ts'
import { readUpdates } from './journals.ts'
import { type Layouts, servedVersion } from './run-case.ts'
import { layoutOf } from './schema-of.ts'
import { bringUp, type Stage } from './stage.ts'
import type { TriedUpdate } from './updates.ts'

/** An update that nobody disturbed. */
export interface Reference {
  readonly update: TriedUpdate
  readonly steps: readonly TakenStep[]
  readonly layouts: Layouts
  readonly lastsMs: number
}

/**
 * Updates once and undisturbed, preparation included, and checks that its plan was the one that `--dry-run` shows.
 * @throws Error when it does not end as it must
 */
export async function referTo(stage: Stage, update: TriedUpdate): Promise<Reference> {
  const { appliance } = await stage.scene(update, false)
  await bringUp(appliance, true)
  const before = await layoutOf(appliance)
  const { plan } = await appliance.json<{
    plan: readonly { readonly steps: readonly { readonly id: string }[] }[]
  }>('app', 'update', 'guestbook', '--dry-run')
  const seen = readUpdates(appliance.state).length
  const { code, stdout, stderr, ms } = await appliance.run(
    'app',
    'update',
    'guestbook',
    '--no-rehearsal',
    'kill matrix',
  )
  if (code !== (update.ends === 'NEW' ? 0 : 4))
    throw new Error(`${update.name}: it ended with ${code}: ${stdout}${stderr}`)
  const version = await servedVersion(appliance)
  if ((version === update.version) !== (update.ends === 'NEW'))
    throw new Error(`${update.name}: it serves ${version}`)
  const layouts = { OLD: before, NEW: update.ends === 'NEW' ? await layoutOf(appliance) : undefined }
  const all = readUpdates(appliance.state)
  // What --dry-run has prepared is not prepared again: those steps were taken by it.
  const prepared = stepsOf(all.slice(0, seen)).filter(({ phase }) => phase === 'prepare')
  const steps = [...prepared, ...stepsOf(all.slice(seen)).filter(({ phase }) => phase !== 'prepare')]
  const shown = plan.at(-1)?.steps.map(({ id }) => id) ?? []
  const passed = all
    .slice(seen)
    .filter(({ operation }) => phaseOf(operation) === 'update')
    .flatMap(({ record }) =>
      record.type === 'step-started' || record.type === 'step-skipped' ? [record.step] : [],
    )
  // One that fails ends early.
  const due = update.ends === 'NEW' ? shown : shown.slice(0, passed.length)
  if (passed.join(' ') !== due.join(' '))
    throw new Error(`${update.name}: it took ${passed.join(', ')} and --dry-run says ${shown.join(', ')}`)
  return { update, steps, layouts, lastsMs: ms }
}
