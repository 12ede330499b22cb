import { runInsideCell } from '@caretaker/host/cell/inside-cell.ts'
import { keepCell } from '@caretaker/host/cell/keep-cell.ts'
import type { CellOrder } from '../isolation.ts'

/** What `caretaker cell` does, without the command line around it. */
const words = process.argv.slice(2)
const valueOf = (name: string) => {
  const at = words.indexOf(name)
  return at < 0 ? undefined : words[at + 1]
}
const order = JSON.parse(valueOf('--order') ?? '') as CellOrder
const socket = valueOf('--socket')
if (socket === undefined) await runInsideCell(order)
else await keepCell({ socket, order }, new AbortController().signal)
