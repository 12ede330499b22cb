/**
 * What the exit code of `caretaker` tells a script. Stable: numbers are never reused for another meaning.
 * 10, 11 and 12 mean what restic means by them; 75 is EX_TEMPFAIL of sysexits; 130 is 128 + SIGINT.
 */
export const EXIT_CODES = {
  0: 'done, or nothing to do',
  1: 'failed, and nothing was changed',
  2: 'wrong usage, or the config is not valid; nothing was changed',
  3: 'partly done; what is done stays, the rest is said',
  4: 'failed, and rolled back: the state before is in force again',
  5: 'failed, and not safe: a person is needed',
  10: 'the target (repository, machine, program) is missing',
  11: 'locked: another operation is under way',
  12: 'wrong key',
  75: 'not now: try again later (space, window, offline)',
  130: 'cancelled; can be resumed',
} as const

export type ExitCode = keyof typeof EXIT_CODES
