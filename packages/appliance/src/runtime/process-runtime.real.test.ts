import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { createHost } from '@caretaker/host/host.ts'
import { applianceId, readableId } from '@caretaker/kernel/ids.ts'
import { describeRuntime, type RuntimeUnderTest } from './conformance.ts'
import { createProcessRuntime } from './process-runtime.ts'
import type { ElsewhereTask } from './testing/elsewhere.fixture.ts'
import { spawnElsewhere } from './testing/elsewhere-process.fixture.ts'

const ELSEWHERE = fileURLToPath(new URL('./testing/elsewhere.fixture.ts', import.meta.url))

describeRuntime('process', { keepsRecords: true, orphansLive: true }, make)

async function make(): Promise<RuntimeUnderTest> {
  const ports = createHost()
  const folder = `${tmpdir()}/caretaker-${readableId(8)}`
  const records = `${folder}/records`
  const id = applianceId()
  await ports.files.makeFolder(folder, 0o755)
  const found = async (app: string, service: string | undefined) =>
    (await ports.processes.findByLabel(id)).filter(
      ({ label }) =>
        label.app === app &&
        (service === undefined ? label.service.startsWith('run@') : label.service === service),
    )
  const runtime = createProcessRuntime(ports, { applianceId: id, folder: records, pid: process.pid })
  return {
    runtime,
    next: createProcessRuntime(createHost(), { applianceId: id, folder: records, pid: process.pid }),
    node: process.execPath,
    folder,
    owner: undefined,
    readText: (path) => ports.files.readText(path),
    countAlive: async (app, service) => (await found(app, service)).length,
    async kill(app, service) {
      const pid = (await runtime.status(app, service))?.pid
      if (pid !== undefined) process.kill(pid, 'SIGKILL')
    },
    loseRecord: (app, service) => ports.files.remove(`${records}/${app}.${service}.json`),
    async elsewhere(spec, command) {
      const env = { OUT: `${folder}/out` }
      const task: ElsewhereTask = { applianceId: id, folder: records, spec: { ...spec, env }, command }
      return spawnElsewhere(ELSEWHERE, task)
    },
    async cleanUp() {
      for (const { identity } of await ports.processes.findByLabel(id)) {
        await ports.processes.signal(identity, 'SIGKILL')
      }
      await ports.files.remove(folder)
    },
  }
}
