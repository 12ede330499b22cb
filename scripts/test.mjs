// npm test: everything that needs neither root nor Docker. "npm test -- WORD" runs the test files with WORD in their path.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap, nodeBinary, root, run, toolEnvironment } from './bootstrap.mjs'
import { countTests } from './counts.mjs'

await bootstrap()
const env = toolEnvironment({ CARETAKER_STATE: '', CARETAKER_CONFIG: '', NO_COLOR: '1' })
const bin = (name) => join(root, 'node_modules/.bin', name)
const filters = process.argv.slice(2)
const total = { passed: 0, failed: 0, skipped: 0 }

const checks = [
  { name: 'format', file: bin('biome'), args: ['check', '--diagnostic-level=error', '.'] },
  { name: 'types', file: bin('tsc'), args: ['--noEmit', '-p', '.'] },
  { name: 'lint', file: bin('oxlint'), args: ['--type-aware', '--deny-warnings', '.'] },
]
for (const { name, file, args } of filters.length === 0 ? checks : []) {
  const started = Date.now()
  const { code, output } = await run(file, args, { quiet: true, env })
  process.stdout.write(
    `${code === 0 ? 'ok  ' : 'FAIL'} ${name} ${((Date.now() - started) / 1000).toFixed(1)} s\n`,
  )
  if (code === 0) total.passed += 1
  else {
    total.failed += 1
    process.stdout.write(`${output}\n`)
  }
}

const folder = mkdtempSync(join(tmpdir(), 'caretaker-test-'))
try {
  // Pure tests share the cores with nothing; what starts processes follows.
  for (const project of ['unit', 'real']) {
    const report = join(folder, `${project}.json`)
    const args = [
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--reporter=${join(root, 'scripts/second-try-reporter.mjs')}`,
      `--outputFile.json=${report}`,
    ]
    const { code } = await run(
      nodeBinary(),
      [join(root, 'node_modules/vitest/vitest.mjs'), ...args, '--passWithNoTests', ...filters],
      { env },
    )
    const counted = countTests(report)
    total.passed += counted.passed
    total.skipped += counted.skipped
    // A run that breaks outside of a test has failed too.
    total.failed += counted.failed === 0 && code !== 0 ? 1 : counted.failed
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exitCode = total.failed === 0 ? 0 : 1
