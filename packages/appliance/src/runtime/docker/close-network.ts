import { isAppError } from '@caretaker/kernel/errors.ts'
import { sha256 } from '@caretaker/kernel/json.ts'
import { SECOND_MS } from '@caretaker/kernel/time.ts'
import { commandError, runToSuccess } from '@caretaker/ports/command.ts'
import type { Command, Processes } from '@caretaker/ports/process.ts'
import { notIsolated } from '../isolation.ts'

/** Name of the bridge of a network; interfaces have at most 15 characters. */
export function bridgeName(network: string): string {
  return `ct-${sha256(network).slice(0, 10)}`
}

type Runner = Pick<Processes, 'run'>

/**
 * Lets nothing in that comes over another interface: a machine that forwards packets would hand the ports of containers
 * to whoever routes to them, although none is published. What this machine itself asks, and what containers ask outside,
 * goes on. Nothing where the engine keeps no rules. Only root can.
 * @throws AppError COMMAND_FAILED
 */
export async function closeNetwork(processes: Runner, network: string): Promise<void> {
  if (!(await keepsRules(processes))) return
  const rule = ruleFor(network)
  if ((await processes.run(iptables('--check', ...rule))).exitCode === 0) return
  await runToSuccess(processes, iptables('--insert', ...rule))
}

/**
 * Lets nothing out of an internal network to this machine itself, which is an address of every network. What this machine
 * asks is answered. Only root can.
 * @throws AppError CLONE_NOT_ISOLATED where the engine keeps no rules, COMMAND_FAILED
 */
export async function sealNetwork(processes: Runner, network: string): Promise<void> {
  if (!(await keepsRules(processes))) {
    throw notIsolated(
      'The container was not started',
      'the engine of this machine keeps no rules of iptables',
    )
  }
  const rule = sealFor(network)
  if ((await processes.run(iptables('--check', ...rule))).exitCode === 0) return
  await runToSuccess(processes, iptables('--insert', ...rule))
}

/**
 * Lets a sealed network hand its mail to the sink: one port of this machine's address in it. Comes before all other rules,
 * so that none of a person's keeps it out; nothing where there are no rules to come before. Only root can.
 * @throws AppError COMMAND_FAILED
 */
export async function admitMail(
  processes: Runner,
  network: string,
  sink: { readonly host: string; readonly port: number },
): Promise<void> {
  if (!(await keepsRules(processes))) return
  const to = ['--destination', sink.host, '--protocol', 'tcp', '--dport', String(sink.port)]
  const rule = ['INPUT', '--in-interface', bridgeName(network), ...to, '--jump', 'ACCEPT']
  // The seal may have been put before it.
  await processes.run(iptables('--delete', ...rule))
  await runToSuccess(processes, iptables('--insert', ...rule))
}

/** Whether the engine keeps rules here: one that shall not has no chain for us. @throws AppError COMMAND_FAILED */
async function keepsRules(processes: Runner): Promise<boolean> {
  const list = iptables('--numeric', '--list', CHAIN)
  try {
    const result = await processes.run(list)
    if (result.exitCode === 0) return true
    if (/no chain|is incompatible/i.test(result.stderr)) return false
    throw commandError(list, result)
  } catch (error) {
    if (isAppError(error, 'COMMAND_NOT_FOUND')) return false
    throw error
  }
}

/** Takes out the rules of {@link closeNetwork}, {@link sealNetwork} and {@link admitMail}; nothing when there are none. */
export async function forgetNetwork(processes: Runner, network: string): Promise<void> {
  await processes.run(iptables('--delete', ...ruleFor(network)))
  const { stdout } = await processes.run(iptables('--list-rules', 'INPUT'))
  const listed = stdout.split('\n').map((line) => line.trim().split(' '))
  for (const [, ...rule] of listed.filter((words) => words.includes(bridgeName(network))))
    await processes.run(iptables('--delete', ...rule))
}

/** The chain that the engine leaves to the people of the machine. */
const CHAIN = 'DOCKER-USER'

function ruleFor(network: string): readonly string[] {
  const bridge = bridgeName(network)
  const match = ['--out-interface', bridge, '!', '--in-interface', bridge]
  return [CHAIN, ...match, '--match', 'conntrack', '--ctstate', 'NEW', '--jump', 'DROP']
}

function sealFor(network: string): readonly string[] {
  const match = ['--in-interface', bridgeName(network), '--match', 'conntrack', '--ctstate', 'NEW']
  return ['INPUT', ...match, '--jump', 'DROP']
}

function iptables(...args: readonly string[]): Command {
  return {
    file: 'iptables',
    args: ['--wait', '10', ...args],
    env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' },
    cwd: '/',
    timeoutMs: 30 * SECOND_MS,
  }
}
