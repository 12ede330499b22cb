import { dirname, join } from 'node:path'
import type { Files } from '@caretaker/ports/files.ts'
import type { Actor } from './journal-records.ts'

/** One line of the audit log: who did what, when, why, with which result. */
export interface AuditEntry {
  readonly at: string
  readonly user: string
  readonly via: string
  readonly operation: string
  readonly purpose: string
  /** Step id, or "-" for the operation itself. */
  readonly step: string
  readonly result: string
  readonly duration_ms: number
  readonly error?: string
}

export interface AuditLog {
  write(entry: AuditEntry): Promise<void>
}

export function auditPath(stateFolder: string): string {
  return join(stateFolder, 'audit.jsonl')
}

/** The append-only audit log of a state folder, on disk line by line; nothing in this program rewrites or shortens it. */
export function createAuditLog(files: Files, stateFolder: string): AuditLog {
  const path = auditPath(stateFolder)
  return {
    async write(entry) {
      const isNew = (await files.stat(path)) === undefined
      await files.append(path, `${JSON.stringify(entry)}\n`, 0o600)
      await files.sync(path)
      if (isNew) await files.sync(dirname(path))
    },
  }
}

/** The parts of an entry that are the same for a whole operation. */
export function auditHead(actor: Actor, operation: string, purpose: string) {
  return { user: actor.user, via: actor.via, operation, purpose }
}
