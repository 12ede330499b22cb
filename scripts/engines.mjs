// npm run engines: the tests on the engines of a production machine (containers, btrfs, Caddy, ACME, whole systemd
// machines). Needs root on Debian; installs what is missing. "npm run engines -- WORD" runs the files with WORD in their path.
// "--lane containers" or "--lane engines" before it runs one of the two lanes, "--lane none" only installs.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap, toolEnvironment } from './bootstrap.mjs'
import { engineEnvironment, installEngines } from './install-engines.mjs'
import { tryTests } from './try-tests.mjs'

if (process.getuid() !== 0) {
  process.stderr.write('The tests on the engines need root on Debian: sudo npm run engines\n')
  process.exit(1)
}
/** Two at once: neither needs what the other one changes on the machine. */
const LANES = ['containers', 'engines']
const [isOne, only] = [process.argv[2] === '--lane', process.argv[3]]
const words = process.argv.slice(isOne ? 4 : 2)
const chosen = isOne ? LANES.filter((project) => project === only) : LANES
if (isOne && chosen.length === 0 && only !== 'none') {
  process.stderr.write(`There is no lane "${only}"; there are ${LANES.join(', ')} and none\n`)
  process.exit(2)
}
await bootstrap()
await installEngines()
const folder = mkdtempSync(join(tmpdir(), 'caretaker-engines-'))
const env = toolEnvironment({
  CARETAKER_STATE: '',
  CARETAKER_CONFIG: '',
  NO_COLOR: '1',
  ...engineEnvironment(),
})
/** Runs the files of a project, one after the other. A test that was left out has not passed: on this rung everything runs. */
async function lane(project) {
  const { passed, failed, skipped } = await tryTests({
    project,
    words,
    env,
    folder,
    again: Boolean(env['CI']),
  })
  return { passed, failed: failed + skipped }
}
const lanes = await Promise.all(chosen.map(lane))
rmSync(folder, { recursive: true, force: true })
const sum = (what) => lanes.reduce((total, counted) => total + counted[what], 0)
process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed\n`)
process.exitCode = sum('failed') === 0 ? 0 : 1
