import type { Owner } from '@caretaker/ports/files.ts'

/** From now on this process is that user, in no other group, for good. Only root can. */
export function giveUpRights({ uid, gid }: Owner): void {
  process.setgroups?.([])
  process.setgid?.(gid)
  process.setuid?.(uid)
}
