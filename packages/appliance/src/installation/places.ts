/** Where an installed caretaker lies: the programs as FHS 3.0 has it for what no distribution packages (section 3.13). */
export const PLACES = {
  /** Holds `current`, one folder for each build that was installed, and `programs`. */
  home: '/opt/caretaker',
  /** Link to the build in force. */
  current: '/opt/caretaker/current',
  /** Node, pnpm and Postgres; builds that bring the same ones share them. */
  programs: '/opt/caretaker/programs',
  command: '/usr/local/bin/caretaker',
  units: '/etc/systemd/system',
  config: '/etc/caretaker',
  state: '/var/lib/caretaker',
  /** Journals and lock of installations: none of the appliance's operations. */
  journals: '/var/lib/caretaker/installation',
  /** Variables of the daemon, as those of a proxy; a person writes it. */
  settings: '/etc/default/caretaker',
} as const

/** The daemon. */
export const SERVICE_UNIT = 'caretaker.service'
/** Stops everything in order when the machine goes down. */
export const SHUTDOWN_UNIT = 'caretaker-shutdown.service'
export const UNITS = [SERVICE_UNIT, SHUTDOWN_UNIT] as const
