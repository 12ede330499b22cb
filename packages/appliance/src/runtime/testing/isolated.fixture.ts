import { chown, mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createHost } from '@caretaker/host/host.ts'
import { applianceId } from '@caretaker/kernel/ids.ts'
import type { Ports } from '@caretaker/ports/ports.ts'
import type { CellOptions } from '../cells.ts'
import type { RuntimeUnderTest } from '../conformance.ts'
import type { Isolation } from '../isolation.ts'
import { createProcessRuntime } from '../process-runtime.ts'
import type { ElsewhereTask } from './elsewhere.fixture.ts'
import { spawnElsewhere } from './elsewhere-process.fixture.ts'

const ELSEWHERE = fileURLToPath(new URL('./elsewhere.fixture.ts', import.meta.url))
const CELL = fileURLToPath(new URL('./cell.fixture.ts', import.meta.url))
/** Of `nobody` on every Linux. */
const NOBODY = { uid: 65534, gid: 65534 }

export interface IsolatedWorld extends RuntimeUnderTest {
  readonly ports: Ports
  readonly isolation: Isolation
  /** Seen by this machine alone. */
  readonly hidden: string
  /** Read by services, not written. */
  readonly readOnly: string
  readonly owner: { readonly uid: number; readonly gid: number } | undefined
  /** Everything that carries the label of this appliance, cells included. */
  everything(): Promise<readonly number[]>
}

/** A process runtime whose services are those of a clone `shop`. */
export async function makeIsolatedWorld(): Promise<IsolatedWorld> {
  const ports = createHost()
  const base = await mkdtemp(join(tmpdir(), 'caretaker-cell-'))
  const [folder, hidden, readOnly, records] = ['files', 'hidden', 'read-only', 'records'].map((name) =>
    join(base, name),
  ) as [string, string, string, string]
  const owner = process.getuid?.() === 0 ? NOBODY : undefined
  await ports.files.setMode(base, 0o755)
  for (const path of [folder, hidden, readOnly]) {
    await mkdir(path)
    if (owner) await chown(path, owner.uid, owner.gid)
  }
  const id = applianceId()
  const cells: CellOptions = { program: [process.execPath, CELL], runFolder: join(base, 'run') }
  const options = { applianceId: id, folder: records, pid: process.pid, cells }
  const runtime = createProcessRuntime(ports, options)
  const everything = async () => (await ports.processes.findByLabel(id)).map(({ identity }) => identity.pid)
  return {
    ports,
    runtime,
    next: createProcessRuntime(createHost(), options),
    node: process.execPath,
    folder,
    hidden,
    readOnly,
    owner,
    isolation: {
      name: 'shop',
      hide: [base],
      show: [
        { path: folder, writable: true },
        { path: readOnly, writable: false },
        { path: dirname(process.execPath), writable: false },
      ],
      mailFolder: join(base, 'mail'),
      ports: [],
    },
    everything,
    readText: (path) => ports.files.readText(path),
    async countAlive(app, service) {
      const found = await ports.processes.findByLabel(id)
      return found.filter(
        ({ label }) =>
          label.app === app &&
          (service === undefined ? label.service.startsWith('run@') : label.service === service),
      ).length
    },
    async kill(app, service) {
      const pid = (await runtime.status(app, service))?.pid
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
    },
    loseRecord: (app, service) => ports.files.remove(`${records}/${app}.${service}.json`),
    async elsewhere(spec, command) {
      const env = { OUT: `${folder}/out` }
      const task: ElsewhereTask = {
        applianceId: id,
        folder: records,
        spec: { ...spec, env },
        command,
        cells,
      }
      return spawnElsewhere(ELSEWHERE, task)
    },
    async cleanUp() {
      for (const { identity } of await ports.processes.findByLabel(id)) {
        await ports.processes.signal(identity, 'SIGKILL')
      }
      await ports.files.remove(base)
    },
  }
}
