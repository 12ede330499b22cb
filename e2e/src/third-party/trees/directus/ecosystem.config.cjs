const { env } = process

// What the image of Directus tells pm2: one process, and the container ends with it.
module.exports = [
  {
    name: 'directus',
    script: 'cli.js',
    args: ['start'],
    instances: env.PM2_INSTANCES ?? '1',
    exec_mode: env.PM2_EXEC_MODE ?? 'cluster',
    wait_ready: true,
    autorestart: env.PM2_AUTO_RESTART ?? false,
  },
]
