import type { FieldDoc } from '../cli/definition.ts'

/** What a command that runs operations answers. */
export const REPORT: readonly FieldDoc[] = [
  ['nothing_to_do', 'boolean', 'nothing had to be changed'],
  ['operations', 'list', 'what was done: operation, outcome, errors, steps (id, state), exit_code'],
  ['errors', 'list', 'what went wrong: code, what, why, next, exit_code'],
  [
    'warnings',
    'list',
    'what keeps nothing from being served, as a certificate that could not be had: as errors',
  ],
  [
    'not_started',
    'text or null',
    'why no application was started although all went well: service mode or standby',
  ],
  ['exit_code', 'number', 'the exit code of the command'],
]

/** What the same command answers with `--dry-run`. */
export const PLAN: readonly FieldDoc[] = [
  [
    'plan',
    'list',
    'the operations it would run: name, purpose, on_failure, steps (id, summary, way_back, state, why, next)',
  ],
]

/** The option beside {@link PLAN}. */
export const DRY_RUN = {
  flags: '--dry-run',
  description: 'print the steps that would be taken, and take none',
}
