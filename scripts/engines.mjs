// npm run engines: the tests on the engines of a production machine (containers, btrfs, Caddy, ACME, whole systemd
// machines). Needs root on Debian; installs what is missing. "npm run engines -- WORD" runs the files with WORD in their path.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap, nodeBinary, root, run, toolEnvironment } from './bootstrap.mjs'
import { countTests } from './counts.mjs'
import { engineEnvironment, installEngines } from './install-engines.mjs'

if (process.getuid() !== 0) {
  process.stderr.write('The tests on the engines need root on Debian: sudo npm run engines\n')
  process.exit(1)
}
await bootstrap()
await installEngines()
const folder = mkdtempSync(join(tmpdir(), 'caretaker-engines-'))
const report = join(folder, 'report.json')
const { code } = await run(
  nodeBinary(),
  [
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project',
    'engines',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${report}`,
    '--passWithNoTests',
    ...process.argv.slice(2),
  ],
  {
    env: toolEnvironment({
      CARETAKER_STATE: '',
      CARETAKER_CONFIG: '',
      NO_COLOR: '1',
      ...engineEnvironment(),
    }),
  },
)
const counted = countTests(report)
rmSync(folder, { recursive: true, force: true })
// A test that was left out has not passed: on this rung everything runs.
const failed = (counted.failed === 0 && code !== 0 ? 1 : counted.failed) + counted.skipped
process.stdout.write(`\n${counted.passed} passed, ${failed} failed\n`)
process.exitCode = failed === 0 ? 0 : 1
