import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseDocument } from 'yaml'
import type { TestAppliance } from './appliance.ts'

/** Sets a key below `caretaker:` of the config. Gives how to take it back. */
export async function configure(
  { state }: Pick<TestAppliance, 'state'>,
  path: readonly string[],
  value: unknown,
): Promise<() => Promise<void>> {
  const file = join(state, 'appliance.yml')
  const before = await readFile(file, 'utf8')
  const document = parseDocument(before)
  document.setIn(['caretaker', ...path], value)
  await writeFile(file, document.toString({ lineWidth: 0 }))
  return () => writeFile(file, before)
}
