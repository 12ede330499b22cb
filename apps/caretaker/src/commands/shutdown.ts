import { surroundingOf } from '../cli/around.ts'
import type { CommandDefinition } from '../cli/definition.ts'

/** Typed by the unit of "caretaker install" when the machine goes down, not by people: they say "down". */
export const shutdown: CommandDefinition = {
  name: 'shutdown',
  summary: 'Stop everything because the machine goes down; the next daemon starts it again.',
  examples: [['caretaker shutdown', 'what the unit runs when the machine goes down']],
  output: [],
  runs: 'here',
  hidden: true,
  async handler(call) {
    const { stopEverything } = await import('@caretaker/appliance/lifecycle/stop-everything.ts')
    await stopEverything(surroundingOf(call), call.places.configFile)
    return { data: {} }
  },
  render: () => '',
}
