import type { CellOrder } from '@caretaker/appliance/runtime/isolation.ts'
import type { CommandDefinition } from '../cli/definition.ts'

/** The process that makes and keeps the cell of a clone, and the first one inside; started by the appliance, not by people. */
export const cell: CommandDefinition = {
  name: 'cell',
  summary: 'Keep what a clone runs in (the appliance starts it by itself).',
  options: [
    { flags: '--order <json>', description: 'what the cell is like' },
    { flags: '--socket <path>', description: 'its control socket; without one: the process inside' },
  ],
  examples: [
    ['caretaker cell --order JSON --socket /run/caretaker/cell/NAME.sock', 'keep one in the foreground'],
  ],
  output: [],
  runs: 'here',
  hidden: true,
  async handler(call) {
    const order = JSON.parse(String(call.options.order)) as CellOrder
    if (typeof call.options.socket === 'string') {
      const { keepCell } = await import('@caretaker/host/cell/keep-cell.ts')
      await keepCell({ socket: call.options.socket, order }, call.signal)
    } else {
      const { runInsideCell } = await import('@caretaker/host/cell/inside-cell.ts')
      await runInsideCell(order)
    }
    return { data: {} }
  },
  render: () => '',
}
