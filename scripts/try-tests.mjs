// Runs one project of vitest and counts what passed.
import { readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { nodeBinary, root, run } from './bootstrap.mjs'

/**
 * Runs the files of a project, with `words` in their path when there are any; gives how many tests passed, failed and were
 * left out. With `again`, a file in which something failed is tried once more as a whole, from its own set-up, and what
 * passed only then is named: on a machine that others may load, one port that somebody took first must not fail all.
 */
export async function tryTests({ project, words, env, folder, again = false }) {
  const first = await runOnce(project, words, env, join(folder, `${project}.json`))
  const failed = first.files.filter((file) => file.failed > 0)
  if (!again || failed.length === 0) return sum(first.files, first.broken)
  const paths = failed.map(({ path }) => path)
  process.stdout.write(`\nTried once more: ${paths.join(', ')}\n`)
  const second = await runOnce(project, paths, env, join(folder, `${project}-again.json`))
  // A second run that breaks outside of a test proves nothing.
  const passedNow = (path) =>
    second.broken === 0 && second.files.some((file) => file.path === path && file.failed === 0)
  for (const { path, failures } of failed.filter((file) => passedNow(file.path)))
    for (const name of failures)
      process.stdout.write(`passed at the second try only: ${path}${name === '' ? '' : ` > ${name}`}\n`)
  const kept = first.files.filter((file) => file.failed === 0 || !passedNow(file.path))
  // What broke the first run outside of a test has broken it.
  return sum([...kept, ...second.files.filter((file) => passedNow(file.path))], first.broken)
}

async function runOnce(project, words, env, report) {
  const args = ['run', '--project', project, '--reporter=default', '--reporter=json']
  args.push(`--outputFile.json=${report}`, '--passWithNoTests', ...words)
  const { code } = await run(nodeBinary(), [join(root, 'node_modules/vitest/vitest.mjs'), ...args], { env })
  const files = filesOf(report)
  // A run that breaks outside of a test has failed too.
  return { files, broken: code !== 0 && files.every(({ failed }) => failed === 0) ? 1 : 0 }
}

/** What a run of vitest counted in each file, from its JSON report; nothing of a report that is missing or damaged. */
function filesOf(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8')).testResults.map(countFile)
  } catch {
    return []
  }
}

function countFile({ name, status, assertionResults }) {
  const having = (outcome) => assertionResults.filter((test) => test.status === outcome)
  const passed = having('passed').length
  const failures = having('failed').map(({ fullName }) => fullName)
  const skipped = assertionResults.length - passed - failures.length
  // A set-up that fails has no test that failed.
  if (status === 'failed' && failures.length === 0) failures.push('')
  return {
    path: relative(root, name),
    passed,
    failed: failures.length,
    skipped,
    failures,
  }
}

function sum(files, broken) {
  const total = (what) => files.reduce((count, file) => count + file[what], 0)
  return { passed: total('passed'), failed: total('failed') + broken, skipped: total('skipped') }
}
