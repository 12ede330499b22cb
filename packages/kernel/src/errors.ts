import { ERROR_CODES, type ErrorCode } from './error-codes.ts'
import type { ExitCode } from './exit-codes.ts'
import { redact } from './secrets.ts'

/** Where in a file an error lies. `line` and `column` count from 1. */
export interface SourcePosition {
  readonly file: string
  readonly line?: number
  readonly column?: number
}

export interface AppErrorDetails {
  /** What did not happen, in the person's words. */
  readonly what: string
  /** The specific reason. */
  readonly why: string
  /** What to type or change next. */
  readonly next: string
  readonly cause?: unknown
  readonly at?: SourcePosition
  /** Path of the key concerned, as `caretaker.postgres.major`. */
  readonly key?: string
  /** More errors found in the same go, each complete in itself. */
  readonly also?: readonly AppError[]
}

/** The same error as data: what `--json`, the journal, the local API and the service page carry. */
export interface ErrorReport {
  readonly code: ErrorCode
  readonly what: string
  readonly why: string
  readonly next: string
  readonly exit_code: ExitCode
  readonly file?: string
  readonly line?: number
  readonly key?: string
  readonly also?: readonly ErrorReport[]
}

/**
 * An error that a person can reach: it says what, why and what next, and carries a stable code.
 * A bug is a plain `Error`; it prints a stack and asks for a report. Never match on the message text.
 */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly what: string
  readonly why: string
  readonly next: string
  readonly at: SourcePosition | undefined
  readonly key: string | undefined
  readonly also: readonly AppError[]

  constructor(code: ErrorCode, details: AppErrorDetails) {
    super(
      redact(`${details.what}: ${details.why}`),
      details.cause === undefined ? {} : { cause: details.cause },
    )
    this.name = 'AppError'
    this.code = code
    this.what = redact(details.what)
    this.why = redact(details.why)
    this.next = redact(details.next)
    this.at = details.at
    this.key = details.key
    this.also = details.also ?? []
  }

  get exitCode(): ExitCode {
    return ERROR_CODES[this.code].exit
  }

  toReport(): ErrorReport {
    return {
      code: this.code,
      what: this.what,
      why: this.why,
      next: this.next,
      exit_code: this.exitCode,
      ...(this.at
        ? { file: this.at.file, ...(this.at.line === undefined ? {} : { line: this.at.line }) }
        : {}),
      ...(this.key === undefined ? {} : { key: this.key }),
      ...(this.also.length > 0 ? { also: this.also.map((error) => error.toReport()) } : {}),
    }
  }

  static fromReport(report: ErrorReport): AppError {
    return new AppError(report.code, {
      what: report.what,
      why: report.why,
      next: report.next,
      ...(report.file === undefined
        ? {}
        : { at: { file: report.file, ...(report.line === undefined ? {} : { line: report.line }) } }),
      ...(report.key === undefined ? {} : { key: report.key }),
      ...(report.also ? { also: report.also.map((entry) => AppError.fromReport(entry)) } : {}),
    })
  }
}

export function isAppError(error: unknown, code?: ErrorCode): error is AppError {
  return error instanceof AppError && (code === undefined || error.code === code)
}

/** Any thrown thing as an AppError; what is not one is a bug and says so. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  const system = describeSystemError(error)
  if (system) return system
  return new AppError('INTERNAL', {
    what: 'Caretaker met a fault of its own',
    why: messageOf(error),
    next: 'Run "caretaker doctor", then report this with the output of "caretaker operation list"',
    cause: error,
  })
}

/** The message of any thrown thing, secrets masked. */
export function messageOf(error: unknown): string {
  return redact(error instanceof Error ? error.message : String(error))
}

/**
 * Disk full, read-only and permission errors of the operating system, and a folder in the place of a file, from wherever they surface. `mount` is where the
 * file system of `path` is mounted, when whoever met the error has found out.
 */
function describeSystemError(error: unknown): AppError | undefined {
  if (!(error instanceof Error)) return undefined
  const { code, path, mount } = error as NodeJS.ErrnoException & { readonly mount?: string }
  const where = path ?? 'a file'
  switch (code ?? '') {
    case 'ENOSPC':
    case 'EDQUOT':
      return diskFull({ what: 'Nothing more could be written', path: where, mount, cause: error })
    case 'EROFS':
      return new AppError('READ_ONLY', {
        what: 'Nothing could be written',
        why: `${where} lies on a read-only file system${mount === undefined ? '' : `, mounted at ${mount}`}`,
        next: `Look at "dmesg" for disk errors, make it writable ("mount -o remount,rw ${mount ?? 'FOLDER'}"), then repeat the command`,
        cause: error,
      })
    case 'EACCES':
    case 'EPERM':
      return new AppError('NO_PERMISSION', {
        what: 'The operating system refused access',
        why: `${where}: ${messageOf(error)}`,
        next: 'Run as the user that owns the state folder, or correct the permissions',
        cause: error,
      })
    case 'EISDIR':
      return new AppError('STATE_DAMAGED', {
        what: 'A file cannot be used',
        why: `${where} is a folder`,
        next: `Look at what it holds ("ls -la ${where}"), set it aside ("mv ${where} ${where}.damaged"), then repeat the command`,
        cause: error,
      })
    default:
      return undefined
  }
}

/** No space is left for `path` on the file system that is mounted at `mount`. */
export function diskFull(found: {
  readonly what: string
  readonly path: string
  readonly mount: string | undefined
  /** What else is known, as the end of the reason. */
  readonly more?: string
  readonly cause?: unknown
}): AppError {
  const { what, path, mount, more = '', cause } = found
  return new AppError('DISK_FULL', {
    what,
    why: `no space is left for ${path}${mount === undefined ? '' : ` on the file system ${mount}`}${more}`,
    next: `Free space there ("du -xh ${mount ?? path} | sort -h | tail" shows what uses it), then repeat the command`,
    cause,
  })
}
