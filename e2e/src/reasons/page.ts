/** One reason as it was seen. */
export interface Observed {
  readonly state: string
  readonly code: string
  readonly cause: string
  readonly visitor: 'page' | 'application' | 'nothing'
  readonly host?: string
  /** The sentence that the service page shows, where it is shown. */
  readonly visitors: string
  readonly reason: string
  readonly next: string
  readonly exit_code: number
}

const VISITOR = {
  application: 'the application',
  nothing: 'nothing answers',
} as const

/** docs/reasons.md, from what was seen. What differs from run to run is named instead. */
export function reasonsPage(
  rows: readonly Observed[],
  folders: readonly [state: string, home: string],
  ports: readonly [https: number],
): string {
  const plain = (text: string) =>
    text
      .replaceAll(folders[0], 'STATE')
      .replaceAll(folders[1], 'HOME')
      .replaceAll(String(ports[0]), 'PORT')
      .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, 'ID')
      .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
      .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d UTC/g, 'TIME')
      .replaceAll(/\([0-9a-f]{8}\)/g, '(HASH)')
      .replaceAll(/is \d+ % full, [\d.]+ \w+ are left/g, 'is N % full, N GiB are left')
      .replaceAll(/"[\w -]+" \(pid \d+\)/g, '"PROGRAM" (pid N)')
      .replaceAll(/(line|appliance\.yml:) ?\d+/g, '$1 N')
      .replaceAll(/\b\d+ times in \d[\w .]*?(?=[;,])/g, 'N times')
  const cell = (text: string) =>
    plain(text)
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('{', '&#123;')
      .replaceAll('|', '\\|')
      .replaceAll('\n', ' ')
  const reads = ({ visitor, host, visitors }: Observed) => {
    if (visitor === 'page') return `“${cell(visitors)}”`
    return `${VISITOR[visitor]}${host === undefined ? '' : `; at ${host} “${cell(visitors)}”`}`
  }
  const lines = rows.map(
    (row) =>
      `| ${row.state} | \`${row.code}\` | ${cell(row.cause)} | ${reads(row)} | ${cell(row.reason)} | ${row.exit_code} | ${cell(row.next)} |`,
  )
  return `# Reasons not to serve

Every state with the causes that produce it, as a test produced and saw them: on the service page (HTML and JSON, over
HTTPS and HTTP), in \`caretaker status\`, in \`status --json\` and in the log of the daemon. All tell one value: the page
shows its code and its sentence of what failed (\`what\` in \`status --json\`), which is how the reason in \`status\` begins;
the details, as words of logs, paths and versions, are not for the internet and stand in \`status\` and the log alone.
A specific reason stays until the part works. With a planned end, \`Retry-After\` counts to it and the page shows it;
otherwise it is 30 seconds. A degraded appliance serves: only the part that is named does not work.

The states \`updating\` and \`recovering\` are not entered by any operation of this version.

This page is made by \`e2e/src/reasons\`; the test fails when it is stale. To write it anew:
\`UPDATE_GOLDENS=1 node_modules/.bin/vitest run --project real e2e/src/reasons\`.

| state | code | cause | what a visitor reads | reason in \`status\` | exit code of \`status\` | next |
| --- | --- | --- | --- | --- | --- | --- |
${lines.join('\n')}
`
}
