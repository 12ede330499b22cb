import { createApp } from './src/app.mjs'
import { release } from './src/release.mjs'
import { settingsFrom } from './src/settings.mjs'

const settings = settingsFrom(process.env)
const { server, stop } = await createApp(settings)
server.on('error', (error) => {
  console.error(`The guestbook cannot listen on ${settings.host}:${settings.port}: ${error.message}`)
  process.exit(1)
})
server.listen(settings.port, settings.host, () => {
  console.log(
    `guestbook release ${release} listens on ${settings.host}:${server.address().port}, public at ${settings.publicUrl}`,
  )
})

let stopping = false
for (const signal of ['SIGTERM', 'SIGINT']) {
  process.on(signal, () => {
    if (stopping) return
    stopping = true
    console.log(`${signal}: finishing what is open`)
    // A database that hangs must not keep a stopped service alive.
    setTimeout(() => process.exit(0), 4_500).unref()
    stop().then(
      () => process.exit(0),
      (error) => {
        console.error(`Not stopped cleanly: ${error.message}`)
        process.exit(1)
      },
    )
  })
}
