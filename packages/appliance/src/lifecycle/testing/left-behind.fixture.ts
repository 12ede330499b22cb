import { spawnSync } from 'node:child_process'
import type { Lab } from './lab.fixture.ts'
import type { Mend } from './mendable.fixture.ts'

/** Started by a program that ends at once, with an environment of its own. */
const PROGRAM = `
  const child = require('node:child_process').spawn('/bin/sleep', ['600'], { env: {}, stdio: 'ignore', detached: true })
  child.unref()
  console.log(child.pid)`

/** A process of the service user that no service has any more, in a folder of this appliance unless another is named. */
export async function leaveBehind(lab: Lab, cwd = lab.stateFolder): Promise<Mend> {
  const { serviceUser } = (await lab.open()).appliance
  const { stdout } = spawnSync(process.execPath, ['-e', PROGRAM], { env: {}, cwd, ...serviceUser })
  const pid = Number(String(stdout))
  return async () => void process.kill(pid, 'SIGKILL')
}
