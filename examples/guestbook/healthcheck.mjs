import { settingsFrom } from './src/settings.mjs'

const answer = await fetch(`http://127.0.0.1:${settingsFrom(process.env).port}/health`).catch(
  (error) => error,
)
if (answer.status !== 200) console.error(answer instanceof Error ? answer.message : await answer.text())
process.exitCode = answer.status === 200 ? 0 : 1
