// A reporter of vitest that names what failed at first and passed at its second try.
import { relative } from 'node:path'

export default class {
  onTestCaseResult(test) {
    if (!test.diagnostic()?.flaky) return
    const file = relative(process.cwd(), test.module.moduleId)
    process.stdout.write(`passed at the second try only: ${file} > ${test.fullName}\n`)
  }
}
