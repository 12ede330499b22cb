import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { sha256 } from '@caretaker/kernel/json.ts'
import { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import { imageFile, JOURNALS, type KillPoint, type Orders, sprungFile } from './orders.ts'

/** Kills this process at the next point of the list that is reached, as a power cut does. */
export class Trap {
  readonly #folder: string
  readonly #next: KillPoint | undefined

  constructor(orders: Orders) {
    this.#folder = orders.folder
    this.#next = orders.kills[readFileSync(sprungFile(orders.folder), 'utf8').length]
  }

  /** Dies here when the orders say so. Each point of the list counts once, over all restarts. */
  reach(point: KillPoint): void {
    if (!this.isNext(point)) return
    writeFileSync(sprungFile(this.#folder), '!', { flag: 'a' })
    this.die()
  }

  isNext(point: KillPoint): boolean {
    return JSON.stringify(point) === JSON.stringify(this.#next)
  }

  die(): never {
    process.kill(process.pid, 'SIGKILL')
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
}

/**
 * Files of which nothing survives the process but what was synced: after each sync the durable image is put into a
 * real file, where the next process finds it. A sabotage leaves out what a broken build would.
 */
export class PowerCutFiles extends MemoryFiles {
  readonly #orders: Orders
  readonly #trap: Trap

  constructor(orders: Orders, trap: Trap) {
    super({ image: JSON.parse(readFileSync(imageFile(orders.folder), 'utf8')) })
    this.#orders = orders
    this.#trap = trap
  }

  override async sync(path: string): Promise<void> {
    const point = await this.#pointOf(path)
    if (point) this.#trap.reach({ ...point, phase: 'before-sync' })
    if (point?.at === 'record' && this.#trap.isNext({ ...point, phase: 'torn' })) await this.#tear(path)
    if (!this.#isSkipped(path, point)) {
      await super.sync(path)
      this.#persist()
    }
    if (point) this.#trap.reach({ ...point, phase: 'after-sync' })
  }

  override async makeFolder(path: string, mode?: number): Promise<void> {
    await super.makeFolder(path, mode)
    this.#persist()
  }

  override async append(path: string, data: string, mode?: number): Promise<void> {
    const { sabotage } = this.#orders
    const isStart = data.includes('"type":"step-started"')
    if (isStart && sabotage === 'lose-before') return
    await super.append(path, isStart && sabotage === 'forget-before' ? withoutBefore(data) : data, mode)
  }

  /** The kill point that syncing this path is, without its phase. */
  async #pointOf(path: string) {
    if (path === JOURNALS) return { at: 'journal-folder' } as const
    if (dirname(path) !== JOURNALS) return undefined
    const lines = (await this.readText(path))?.split('\n') ?? []
    return { at: 'record', index: lines.length - 2 } as const
  }

  #isSkipped(path: string, point: { readonly index?: number } | undefined): boolean {
    const { sabotage } = this.#orders
    if (sabotage === 'skip-folder-sync') return path === JOURNALS
    if (point?.index === undefined) return false
    return sabotage === (point.index === 0 ? 'skip-create-sync' : 'skip-append-sync')
  }

  async #tear(path: string): Promise<void> {
    const data = await this.read(path)
    const lineStart = data.lastIndexOf(0x0a, data.length - 2) + 1
    await this.truncate(path, Math.floor((lineStart + data.length) / 2))
    await super.sync(path)
    this.#persist()
    this.#trap.reach({ at: 'record', index: data.filter((byte) => byte === 0x0a).length - 1, phase: 'torn' })
  }

  #persist(): void {
    const file = imageFile(this.#orders.folder)
    writeFileSync(`${file}.tmp`, JSON.stringify(this.durableImage()))
    renameSync(`${file}.tmp`, file)
  }
}

function withoutBefore(line: string): string {
  const text = JSON.stringify({ ...JSON.parse(line.slice(line.indexOf('{'))), before: null })
  return `${sha256(text).slice(0, line.indexOf(' '))} ${text}\n`
}
