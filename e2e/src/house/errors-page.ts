import { ERROR_CODES } from '@caretaker/kernel/error-codes.ts'
import { EXIT_CODES } from '@caretaker/kernel/exit-codes.ts'

/** docs/errors.md, made from the two tables of the kernel. */
export function errorsPage(): string {
  const exits = Object.entries(EXIT_CODES).map(([code, meaning]) => `| ${code} | ${meaning} |`)
  const codes = Object.entries(ERROR_CODES).map(
    ([code, { exit, doc }]) => `| \`${code}\` | ${exit} | ${doc} |`,
  )
  return `# Errors and exit codes

Every error says what did not happen, why, and what to do next, and carries one of these codes: in the text, in
\`--json\` (\`code\`), in the journal and on the service page. Codes and exit codes are stable.

This page is made from \`packages/kernel/src/error-codes.ts\` and \`exit-codes.ts\`; a test compares them.
To write it anew: \`UPDATE_GOLDENS=1 node_modules/.bin/vitest run --project real e2e/src/house/errors\`.

## Exit codes

| exit code | meaning |
| --- | --- |
${exits.join('\n')}

## Error codes

| code | exit code | meaning |
| --- | --- | --- |
${codes.join('\n')}
`
}
