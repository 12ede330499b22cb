import { dirname } from 'node:path'
import type { MemoryFiles } from '@caretaker/ports/memory-files.ts'
import type { Command, CommandResult, Processes } from '@caretaker/ports/process.ts'

const MARK = '.subvolume'
const TOP = '5'

/** The program `btrfs` over files in memory. What it creates and deletes is durable at once, as the real one's is. */
export function fakeBtrfs(memory: MemoryFiles): Pick<Processes, 'run'> {
  let lastId = 255
  const mark = async (path: string): Promise<void> => {
    await memory.write(`${path}/${MARK}`, String(++lastId))
    await memory.sync(`${path}/${MARK}`)
    await memory.sync(path)
    await memory.sync(dirname(path))
  }
  const answers: Record<string, (...args: string[]) => Promise<string>> = {
    'subvolume create': async (path) => {
      await memory.makeFolder(path ?? '', 0o755)
      await mark(path ?? '')
      return ''
    },
    'subvolume snapshot': async (...args) => {
      const [from = '', to = ''] = args.slice(-2)
      await memory.copyTree(from, to)
      await mark(to)
      return ''
    },
    'subvolume delete': async (...args) => {
      const path = args.at(-1) ?? ''
      await memory.remove(path)
      await memory.sync(dirname(path))
      return ''
    },
    'inspect-internal rootid': async (path) => (await memory.readText(`${path}/${MARK}`)) ?? TOP,
  }
  return {
    async run({ args }: Command): Promise<CommandResult> {
      const answer = answers[args.slice(0, 2).join(' ')]
      const stdout = (await answer?.(...args.slice(2))) ?? ''
      return { exitCode: 0, signal: undefined, timedOut: false, stdout, stderr: '', durationMs: 1 }
    },
  }
}
