require('unleash-server').start()
