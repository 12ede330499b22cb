import { sha256 } from '@caretaker/kernel/json.ts'
import type { FoundProcess, Processes } from '@caretaker/ports/process.ts'

/** What tells the processes that are recorded in this folder from those of a copy of it: both have one appliance. */
export function placeOf(recordsFolder: string): string {
  return sha256(recordsFolder).slice(0, 12)
}

/** Living processes that were started from the state folder of these records. */
export async function findOwnProcesses(
  processes: Pick<Processes, 'findByLabel'>,
  applianceId: string,
  recordsFolder: string,
): Promise<readonly FoundProcess[]> {
  const place = placeOf(recordsFolder)
  return (await processes.findByLabel(applianceId)).filter(({ label }) => label.place === place)
}
