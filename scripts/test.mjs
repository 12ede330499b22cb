// npm test: everything that needs neither root nor Docker. "npm test -- WORD" runs the test files with WORD in their path.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bootstrap, root, run, toolEnvironment } from './bootstrap.mjs'
import { tryTests } from './try-tests.mjs'

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
    const again = Boolean(env['CI']) && project === 'real'
    const counted = await tryTests({ project, words: filters, env, folder, again })
    total.passed += counted.passed
    total.failed += counted.failed
    total.skipped += counted.skipped
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.stdout.write(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`)
process.exitCode = total.failed === 0 ? 0 : 1
