import { spawn } from 'node:child_process'

export interface Outcome {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, within a limit; never throws for its exit code. */
export function outcomeOf(
  file: string,
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly input?: string; readonly timeoutMs?: number } = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, {
      env: options.env ?? process.env,
      stdio: 'pipe',
      timeout: options.timeoutMs ?? 120_000,
      killSignal: 'SIGKILL',
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    child.stdin.on('error', () => undefined)
    child.stdin.end(options.input ?? '')
    child.on('error', reject)
    child.on('close', (code) => resolve({ code: code ?? 137, stdout, stderr }))
  })
}

/** Its standard output. @throws Error with what it said when it does not end with 0 */
export async function outputOf(
  file: string,
  args: readonly string[],
  options: Parameters<typeof outcomeOf>[2] = {},
): Promise<string> {
  const { code, stdout, stderr } = await outcomeOf(file, args, options)
  if (code === 0) return stdout
  throw new Error(
    `${file} ${args.join(' ')} ended with ${code}:\n${`${stdout}\n${stderr}`.trim().slice(-3000)}`,
  )
}
