import type { CommandDefinition } from '../cli/definition.ts'

export const page: CommandDefinition = {
  name: 'page',
  summary: 'Print a link that opens the state page in a browser on this machine, once.',
  examples: [['caretaker page', 'the link works for one browser, within 10 minutes']],
  output: [['url', 'text', 'the link']],
  runs: 'here',
  async handler(call) {
    const { pageLink } = await import('../daemon/client.ts')
    const { runFolder } = await import('@caretaker/appliance/lifecycle/folders.ts')
    const run = runFolder(call.places.stateFolder, call.ports.machine.user().uid)
    return { data: { url: await pageLink(call.ports, run) } }
  },
  render: (data: { url: string }) => data.url,
}
