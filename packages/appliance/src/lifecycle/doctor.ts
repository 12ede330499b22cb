import { toAppError } from '@caretaker/kernel/errors.ts'
import { openAppliance, type Surrounding } from './appliance.ts'
import { FILE_CHECKS } from './doctor/file-checks.ts'
import { asFound, type Finding, runChecks, type SeenDaemon } from './doctor/finding.ts'
import { GATEWAY_CHECKS } from './doctor/gateway-checks.ts'
import { INSTALLATION_CHECKS, isInstalled } from './doctor/installation-checks.ts'
import { MACHINE_CHECKS } from './doctor/machine-checks.ts'
import { PART_CHECKS } from './doctor/part-checks.ts'
import { type OpenedInForce, openInForce } from './open.ts'

/**
 * Looks at everything a night call would ask, and changes nothing. Each finding says the next step. With a config that
 * is refused the appliance is looked at as the last good one says.
 */
export async function examine(
  around: Surrounding,
  configFile: string | undefined,
  daemon: SeenDaemon | undefined,
): Promise<readonly Finding[]> {
  const installed = await isInstalled(around)
  const machine = await runChecks([...MACHINE_CHECKS, ...(installed ? INSTALLATION_CHECKS : [])], around)
  let opened: OpenedInForce
  try {
    opened = await openInForce(around, configFile)
  } catch (error) {
    return [...configFindings(error), ...machine]
  }
  const { loaded, refused, isChanged } = opened
  const appliance = await openAppliance(around, loaded.config, loaded.file)
  const config: readonly Finding[] = refused
    ? configFindings(refused)
    : isChanged
      ? [changed(loaded.file)]
      : [{ check: 'config', result: 'ok', code: 'OK', what: `${loaded.file} is valid`, next: '' }]
  const scene = { appliance, daemon }
  const checks = [...FILE_CHECKS, ...GATEWAY_CHECKS, ...PART_CHECKS]
  return [...config, ...machine, ...(await runChecks(checks, scene))]
}

function changed(file: string): Finding {
  const what = `${file} was changed after it was applied; in force is the config before`
  const next = `"caretaker config diff ${file}" shows what is different; "caretaker up" puts it in force`
  return { check: 'config', result: 'notice', code: 'CONFIG_NOT_APPLIED', what, next }
}

function configFindings(error: unknown): readonly Finding[] {
  const reported = toAppError(error)
  return [reported, ...reported.also].map((entry) => ({
    check: 'config',
    result: 'problem' as const,
    ...asFound(entry),
  }))
}
