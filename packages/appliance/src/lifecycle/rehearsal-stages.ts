import type { Appliance } from './appliance.ts'
import { readClone, writeClone } from './clone-records.ts'

/** A part of a rehearsal that its clone remembers to be done. */
export type RehearsalStage = 'begun' | 'migrated' | 'smoke' | 'acceptance' | 'watched' | 'ended'

/** How a step of a rehearsal stands, for its `check`. */
export async function checkStage({ ports, stateFolder }: Appliance, clone: string, stage: RehearsalStage) {
  const record = await readClone(ports.files, stateFolder, clone)
  return record?.stages?.includes(stage)
    ? ({ state: 'done' } as const)
    : ({ state: 'needed', before: null } as const)
}

export async function noteStage(appliance: Appliance, clone: string, stage: RehearsalStage): Promise<void> {
  const record = await readClone(appliance.ports.files, appliance.stateFolder, clone)
  if (!record) throw new Error(`there is no clone ${clone}`)
  await writeClone(appliance, { ...record, stages: [...(record.stages ?? []), stage] })
}
