import { listAppRecords } from './app-records.ts'
import type { Appliance } from './appliance.ts'
import { type Facts, readFacts } from './facts.ts'

/** The facts; when their file is lost, records of applications tell that this is no first start. */
export async function factsOfBefore({ ports, stateFolder, folders }: Appliance): Promise<Facts> {
  const facts = await readFacts(ports.files, stateFolder)
  const isKnown = (await listAppRecords(ports.files, folders.apps)).length > 0
  return { ...facts, startedBefore: facts.startedBefore || isKnown }
}
