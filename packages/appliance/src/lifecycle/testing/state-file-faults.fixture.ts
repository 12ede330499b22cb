import { appendFile, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Fault } from './doctor-faults.fixture.ts'
import type { Lab } from './lab.fixture.ts'
import { changeMode, damage, halve, type Mend, plant, replaceByFolder } from './mendable.fixture.ts'

/** Files of the state folder that are not what was written. */
export function stateFileFaults(lab: Lab): readonly Fault[] {
  const at = (...names: string[]) => join(lab.stateFolder, ...names)
  const record = (app: string) => at('apps', `${app}.json`)
  const release = async (app: string) => {
    const { releaseId } = JSON.parse(await readFile(record(app), 'utf8'))
    return at('releases', app, releaseId)
  }
  const newest = async () => at('operations', (await lab.operations()).at(-1) ?? '')
  const history = () => at('jobs', 'space-check.jsonl')
  const zeros = async (path: string): Promise<Mend> =>
    damage(path, '\u0000'.repeat((await readFile(path, 'utf8')).length))

  return [
    ['damaged facts', 'STATE_DAMAGED', () => halve(at('facts.json'))],
    ['damaged record of an application', 'STATE_DAMAGED', () => damage(record('shop'), '{"app":')],
    ['damaged record of a process', 'STATE_DAMAGED', () => damage(at('processes', 'kiosk.web.json'), 'x')],
    ['damaged passwords', 'STATE_DAMAGED', () => halve(at('secrets.json'))],
    ['damaged last good config', 'STATE_DAMAGED', () => halve(at('last-good-config.json'))],
    ['damaged config of the gateway', 'STATE_DAMAGED', () => damage(at('gateway', 'config.json'), '')],
    [
      'damaged release',
      'STATE_DAMAGED',
      async () => {
        const path = join(await release('kiosk'), 'release.json')
        const open = await changeMode(path, 0o600)
        const mend = await damage(path, '[')
        return async () => {
          await mend()
          await open()
        }
      },
    ],
    ['damaged copy of a record', 'STATE_DAMAGED', () => damage(`${record('shop')}.copy`, '')],
    ['garbage for a seal', 'SEAL_BROKEN', () => damage(at('seal.age'), 'garbage')],
    [
      'history of a job that is damaged',
      'STATE_DAMAGED',
      async () => {
        await lab.ports.files.makeFolder(at('jobs'), 0o700)
        return plant(history(), 'garbage\n\u0000\u0000\n')
      },
    ],
    [
      'audit log that is damaged',
      'STATE_DAMAGED',
      async () => {
        const mend = await damage(at('audit.jsonl'), await readFile(at('audit.jsonl'), 'utf8'))
        await appendFile(at('audit.jsonl'), 'garbage\n{"at":"now"}\n')
        return mend
      },
    ],
    ['emptied journal', 'JOURNAL_DAMAGED', async () => damage(await newest(), '')],
    ['journal of zeros', 'JOURNAL_DAMAGED', async () => zeros(await newest())],
    ['folder for a journal', 'JOURNAL_DAMAGED', async () => replaceByFolder(await newest())],
    ['folder for a history', 'STATE_DAMAGED', () => replaceByFolder(history())],
    ['folder for passwords', 'STATE_DAMAGED', () => replaceByFolder(at('secrets.json'))],
    ['folder for the last good config', 'STATE_DAMAGED', () => replaceByFolder(at('last-good-config.json'))],
    ['folder for the audit log', 'STATE_DAMAGED', () => replaceByFolder(at('audit.jsonl'))],
  ]
}
