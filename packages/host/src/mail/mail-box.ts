import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ENVELOPE, MAIL_FILE, MAIL_LIMITS, mailId } from '@caretaker/appliance/mail/mail.ts'
import { unlessErrno } from '../errno.ts'

export interface Envelope {
  readonly from: string
  readonly to: readonly string[]
}

/** The mails of one clone: a folder with a file for each, bounded by `MAIL_LIMITS`. One process writes. */
export class MailBox {
  readonly #folder: string
  #count = 0
  #tail: Promise<unknown> = Promise.resolve()

  constructor(folder: string) {
    this.#folder = folder
  }

  /** Keeps a mail; the oldest go when it is too much. Not synced: it is lost with the power, and delivered nowhere. */
  async add({ from, to }: Envelope, content: Uint8Array): Promise<void> {
    const lines = [`${ENVELOPE.from}: ${from}`, ...to.map((address) => `${ENVELOPE.to}: ${address}`), '']
    const id = mailId(new Date(), ++this.#count)
    const path = join(this.#folder, `${id}.eml`)
    await writeFile(`${path}.tmp`, [Buffer.from(lines.join('\r\n')), content], { mode: 0o600 })
    await rename(`${path}.tmp`, path)
    // One after the other, so that two of them do not remove the same.
    this.#tail = this.#tail.then(() => this.#trim())
    await this.#tail
  }

  /** Ids, the newest first. */
  async list(): Promise<readonly string[]> {
    const ids = (await readdir(this.#folder)).flatMap((name) => MAIL_FILE.exec(name)?.[1] ?? [])
    return ids.toSorted().reverse()
  }

  /** Undefined when there is none. */
  async read(id: string): Promise<Uint8Array | undefined> {
    if (!MAIL_FILE.test(`${id}.eml`)) return undefined
    return unlessErrno(readFile(join(this.#folder, `${id}.eml`)), ['ENOENT'], undefined)
  }

  async #trim(): Promise<void> {
    let bytes = 0
    for (const [index, id] of (await this.list()).entries()) {
      const path = join(this.#folder, `${id}.eml`)
      bytes += (await stat(path)).size
      if (index >= MAIL_LIMITS.messages || bytes > MAIL_LIMITS.totalBytes) await rm(path, { force: true })
    }
  }
}
